"""Pauses: what keeps the messages of a run waiting until somebody lifts it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from domain.errors import Conflict, NotFound


class PauseNotAllowed(Conflict):
    """The execution has ended, so there is nothing to pause or to resume."""

    code = "pause_not_allowed"


class RouteNotFound(NotFound):
    """No execution that goes on and no active config has a route of that name."""

    code = "route_not_found"


@dataclass(frozen=True, slots=True, kw_only=True)
class PauseScope:
    """What a pause holds up: a whole execution, one of its routes, or a route id wherever it runs, now and later.

    At least one of the two is given; ValueError otherwise.
    """

    execution_id: UUID | None = None
    route_id: str | None = None

    def __post_init__(self) -> None:
        if self.execution_id is None and self.route_id is None:
            raise ValueError("a pause names an execution or a route")

    def covers(self, execution_id: UUID, route_id: str) -> bool:
        """Whether it holds up that route of that execution."""
        return self.execution_id in {None, execution_id} and self.route_id in {None, route_id}

    @property
    def reason(self) -> str:
        """Why a route that it covers is held up; no two pauses that cover the same route have the same reason."""
        if self.route_id is None:
            return "execution_paused"
        return "route_paused_everywhere" if self.execution_id is None else "route_paused"


@dataclass(frozen=True, slots=True, kw_only=True)
class Pause:
    """A pause in force. Several may cover the same route; it goes on when the last of them is lifted."""

    scope: PauseScope
    paused_at: datetime


PAUSE_REASONS = ("execution_paused", "route_paused", "route_paused_everywhere")
"""Every reason that a pause can give."""
