"""Sums up lineage in memory."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from uuid import UUID

from adapters.memory.lineage import MemoryLineage
from application.ports.lineage_statistics import (
    SAMPLES,
    AdapterStatistics,
    FailureGroup,
    Percentiles,
    RouteStatistics,
)
from domain.lineage import REPAIRED, LineageEntry, StageStatus, normalised_message


class MemoryLineageStatistics:
    """Goes through every entry for each answer."""

    def __init__(self, lineage: MemoryLineage) -> None:
        self._lineage = lineage

    async def routes(self, *execution_ids: UUID, route_id: str | None = None) -> Sequence[RouteStatistics]:
        """See the port."""
        attempts: defaultdict[tuple[str, UUID], defaultdict[int, list[LineageEntry]]]
        attempts = defaultdict(lambda: defaultdict(list))
        for entry in (entry for one in set(execution_ids) for entry in self._lineage.of(one)):
            attempts[entry.route_id, entry.message_id][entry.attempt].append(entry)
        routes: defaultdict[str, list[list[LineageEntry]]] = defaultdict(list)
        for (name, _), of_message in attempts.items():
            if route_id in {None, name}:
                routes[name].append(of_message[max(of_message)])
        return [_of_route(name, routes[name]) for name in sorted(routes)]

    async def adapters(self, execution_id: UUID) -> Sequence[AdapterStatistics]:
        """See the port."""
        handled: defaultdict[tuple[str, int, str], list[LineageEntry]] = defaultdict(list)
        for entry in self._lineage.of(execution_id):
            handled[entry.route_id, entry.adapter_index, entry.adapter_name].append(entry)
        return [
            _of_adapter(route_id, name, index, entries)
            for (route_id, index, name), entries in sorted(handled.items())
        ]

    async def failures(self, execution_id: UUID | None = None, *, limit: int = 100) -> Sequence[FailureGroup]:
        """See the port."""
        alike: defaultdict[tuple[str | None, str | None, str, str, str], list[LineageEntry]]
        alike = defaultdict(list)
        for entry in self._lineage.failed():
            if execution_id in {None, entry.execution_id}:
                alike[(*_reason(entry), entry.route_id, entry.adapter_name)].append(entry)
        groups = [_group(key, entries) for key, entries in alike.items()]
        groups.sort(key=lambda group: (group.message, group.adapter_name))
        return sorted(groups, key=lambda group: (group.count, group.last_at), reverse=True)[:limit]


def _of_adapter(route_id: str, name: str, index: int, entries: Sequence[LineageEntry]) -> AdapterStatistics:
    durations = [one for entry in entries if (one := entry.duration_ms) is not None]
    return AdapterStatistics(
        route_id=route_id,
        adapter_name=name,
        adapter_index=index,
        counts=dict(Counter(entry.status for entry in entries)),
        avg_duration_ms=_average(durations),
        durations=_percentiles(durations),
    )


def _of_route(route_id: str, messages: Sequence[Sequence[LineageEntry]]) -> RouteStatistics:
    """Of the last attempt of each message."""
    statuses = [{entry.status for entry in attempt} for attempt in messages]
    durations = [one for attempt in messages if (one := _duration(attempt)) is not None]
    return RouteStatistics(
        route_id=route_id,
        total_messages=len(messages),
        completed=sum(each == {StageStatus.COMPLETED} for each in statuses),
        failed=sum(StageStatus.FAILED in each for each in statuses),
        in_progress=sum(
            StageStatus.FAILED not in each and any(not status.is_final for status in each)
            for each in statuses
        ),
        avg_duration_ms=_average(durations),
        durations=_percentiles(durations),
    )


def _duration(attempt: Sequence[LineageEntry]) -> float | None:
    ends = [entry.completed_at for entry in attempt if entry.completed_at and REPAIRED not in entry.metadata]
    if len(ends) < len(attempt):
        return None
    return (max(ends) - min(entry.started_at for entry in attempt)).total_seconds() * 1000


def _average(durations: Sequence[float]) -> float | None:
    return sum(durations) / len(durations) if durations else None


def _percentiles(durations: Sequence[float]) -> Percentiles | None:
    if not durations:
        return None
    ordered = sorted(durations)

    def at(share: float) -> float:
        place = share * (len(ordered) - 1)
        below = int(place)
        above = min(below + 1, len(ordered) - 1)
        return ordered[below] + (place - below) * (ordered[above] - ordered[below])

    return Percentiles(p50_ms=at(0.5), p95_ms=at(0.95), p99_ms=at(0.99))


def _reason(entry: LineageEntry) -> tuple[str | None, str | None, str]:
    error = entry.error or {}
    code, kind, message = (error.get(name) for name in ("code", "type", "message"))
    return (
        None if code is None else str(code),
        None if kind is None else str(kind),
        normalised_message("" if message is None else str(message)),
    )


def _group(
    key: tuple[str | None, str | None, str, str, str], entries: Sequence[LineageEntry]
) -> FailureGroup:
    latest = sorted(entries, key=lambda entry: (entry.started_at, entry.id), reverse=True)
    return FailureGroup(
        code=key[0],
        type=key[1],
        message=key[2],
        route_id=key[3],
        adapter_name=key[4],
        count=len(entries),
        first_at=latest[-1].started_at,
        last_at=latest[0].started_at,
        correlation_ids=tuple(entry.id for entry in latest[:SAMPLES]),
    )
