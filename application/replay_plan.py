"""What a replay would do, or what keeps it from being made."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from uuid import UUID

from domain.errors import FactflowError
from domain.execution import Execution
from domain.json import JsonObject
from domain.pipeline import Pipeline
from domain.replay import Destination, Origin, Replay, ReplayRequest


class Caution(StrEnum):
    """What is worth knowing of a replay that can be made; the values are codes on the wire."""

    PARENT_UNFINISHED = "replay_parent_unfinished"
    REST_OF_ROUTE = "replay_rest_of_route"


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanFinding:
    """One thing about a replay: an error keeps it from being made, a warning does not."""

    is_error: bool
    code: str
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """The pipeline that the replay runs, as it will be frozen."""

    config_id: UUID
    snapshot: JsonObject
    pipeline: Pipeline


@dataclass(frozen=True, slots=True, kw_only=True)
class Survey:
    """What there is to replay. ``found`` is exact unless it is ``is_exact`` that says otherwise, ``size`` in bytes.

    ``lost`` are the keys of those among ``found`` whose payloads are not in storage any more.
    """

    found: int = 0
    is_exact: bool = True
    size: int = 0
    first_keys: Sequence[str] = ()
    lost: Sequence[str] = ()


@dataclass(slots=True, kw_only=True)
class ReplayPlan:
    """A replay as far as it could be thought through; ``obstacles`` are the errors that making it would raise."""

    request: ReplayRequest
    parent: Execution | None = None
    origin: Origin | None = None
    target: Target | None = None
    destination: Destination | None = None
    replay: Replay | None = None
    given: JsonObject = field(default_factory=dict)
    survey: Survey = field(default_factory=Survey)
    obstacles: list[FactflowError] = field(default_factory=list)
    cautions: list[tuple[Caution, str]] = field(default_factory=list)

    @property
    def findings(self) -> Sequence[PlanFinding]:
        """Errors first, in the order in which making the replay would meet them."""
        errors = [
            PlanFinding(is_error=True, code=obstacle.code, message=obstacle.message)
            for obstacle in self.obstacles
        ]
        warnings = [
            PlanFinding(is_error=False, code=code.value, message=message) for code, message in self.cautions
        ]
        return [*errors, *warnings]

    @property
    def to_queue(self) -> str | None:
        """The queue into which the messages are sent, by its name in the config."""
        if self.target is None or self.destination is None:
            return None
        return self.target.pipeline.routes[self.destination.enters].inbound.queue
