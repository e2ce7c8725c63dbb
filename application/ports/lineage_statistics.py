"""Tells how an execution's routes and pipeline adapters fared, and what failed, from lineage."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol
from uuid import UUID

from domain.lineage import StageStatus

SAMPLES = 5
"""How many correlation ids stand for a group of failures."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Percentiles:
    """Durations in milliseconds, interpolated between the two nearest."""

    p50_ms: float
    p95_ms: float
    p99_ms: float


@dataclass(frozen=True, slots=True, kw_only=True)
class RouteStatistics:
    """How a route's messages fared, each by its last attempt: numbers of messages, and their durations.

    A message failed when one of its adapters did; it is in progress when one has not ended. Those that were cancelled
    are in the total alone. The duration runs from the first adapter's start to the last one's end; there is none
    while nothing has ended.
    """

    route_id: str
    total_messages: int = 0
    completed: int = 0
    failed: int = 0
    in_progress: int = 0
    avg_duration_ms: float | None = None
    durations: Percentiles | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AdapterStatistics:
    """How often a route's pipeline adapter handled something, every attempt counted, with which end and how quickly.

    There is no duration while nothing has ended.
    """

    route_id: str
    adapter_name: str
    adapter_index: int
    counts: Mapping[StageStatus, int] = field(default_factory=dict)
    avg_duration_ms: float | None = None
    durations: Percentiles | None = None

    @property
    def total(self) -> int:
        """All of its entries."""
        return sum(self.counts.values())


@dataclass(frozen=True, slots=True, kw_only=True)
class FailureGroup:
    """Failed entries of one pipeline adapter that say the same but for names and numbers.

    ``message`` is what they have in common (``domain.lineage.normalised_message``); ``code`` and ``type`` are those of
    the error. ``correlation_ids`` are the latest of them, ``SAMPLES`` at most.
    """

    code: str | None
    type: str | None
    message: str
    route_id: str
    adapter_name: str
    count: int
    first_at: datetime
    last_at: datetime
    correlation_ids: Sequence[UUID]


class LineageStatistics(Protocol):
    """Sums lineage up; what is asked of one execution reads that execution's entries."""

    async def routes(self, *execution_ids: UUID, route_id: str | None = None) -> Sequence[RouteStatistics]:
        """Per route of these executions together, or of the one route, by route id; one without lineage is not there."""
        ...

    async def adapters(self, execution_id: UUID) -> Sequence[AdapterStatistics]:
        """Per pipeline adapter of an execution, by route id and position in the route."""
        ...

    async def failures(self, execution_id: UUID | None = None, *, limit: int = 100) -> Sequence[FailureGroup]:
        """What failed in an execution or in all of them, the most frequent first, then the latest."""
        ...
