"""How a route of an execution stands in this process."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from domain.circuit_breaker import BreakerState


class RouteState(StrEnum):
    """Open takes messages; paused was asked not to; breaker waits for a pipeline adapter to be probed."""

    OPEN = "open"
    PAUSED = "paused"
    BREAKER = "breaker"


@dataclass(frozen=True, slots=True, kw_only=True)
class BreakerStatus:
    """The circuit breaker of one pipeline adapter: its place in the route, and how many of its results failed.

    ``probes_at`` is the moment from which an open one is probed.
    """

    adapter: str
    index: int
    state: BreakerState
    failures: int
    results: int
    probes_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RouteStatus:
    """A route at work.

    ``concurrency`` is how many messages it may have at work now, ``max_concurrency`` how many at most, ``in_flight``
    how many slots are taken, ``latency_ms`` how long its recent messages took on average (None before the first).
    ``paused_by`` has every reason for which it takes no messages.
    """

    execution_id: UUID
    route_id: str
    state: RouteState
    concurrency: int
    max_concurrency: int
    in_flight: int
    latency_ms: float | None
    breakers: Sequence[BreakerStatus]
    paused_by: Sequence[str] = ()

    @property
    def open_breakers(self) -> Sequence[BreakerStatus]:
        """The breakers that are open."""
        return [breaker for breaker in self.breakers if breaker.state is BreakerState.OPEN]
