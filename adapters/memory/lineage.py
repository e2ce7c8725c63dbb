"""Lineage in memory."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from uuid import UUID

from adapters.memory.lineage_filter import matches
from application.ports.lineage import LineageQuery, RouteStatistics
from domain.lineage import LineageEntry, LineageEntryNotFound, StageStatus


class MemoryLineage:
    """Sink and reader in one: what is recorded can be read at once. It drops what exceeds ``capacity``."""

    def __init__(self, *, capacity: int = 1_000_000) -> None:
        self._capacity = capacity
        self._entries: dict[UUID, LineageEntry] = {}
        self._children: defaultdict[UUID, dict[UUID, None]] = defaultdict(dict)
        self._dropped = 0

    @property
    def dropped(self) -> int:
        return self._dropped

    def record(self, entry: LineageEntry) -> None:
        earlier = self._entries.get(entry.id)
        if earlier is not None and not earlier.status.may_be_replaced_by(entry.status):
            return
        if earlier is not None:
            self._forget(earlier)
        elif len(self._entries) >= self._capacity:
            self._dropped += 1
            return
        self._entries[entry.id] = entry
        if entry.parent_id is not None:
            self._children[entry.parent_id][entry.id] = None

    async def flush(self) -> None:
        """Nothing waits."""

    async def list(self, query: LineageQuery) -> tuple[Sequence[LineageEntry], int]:
        found = [entry for entry in self._entries.values() if matches(entry, query)]
        found.sort(key=_sort_key(query.sort_by), reverse=query.descending)
        found.sort(key=lambda entry: getattr(entry, query.sort_by) is None)
        return found[query.offset : query.offset + query.limit], len(found)

    async def get(self, correlation_id: UUID) -> LineageEntry:
        entry = self._entries.get(correlation_id)
        if entry is None:
            raise LineageEntryNotFound
        return entry

    async def ancestors(self, correlation_id: UUID, *, limit: int = 1000) -> Sequence[LineageEntry]:
        entry: LineageEntry | None = await self.get(correlation_id)
        found: dict[UUID, LineageEntry] = {}
        while entry is not None and len(found) <= limit and entry.id not in found:
            found[entry.id] = entry
            entry = self._entries.get(entry.parent_id) if entry.parent_id else None
        return [*found.values()][1 : limit + 1]

    async def descendants(self, correlation_id: UUID, *, limit: int = 1000) -> Sequence[LineageEntry]:
        await self.get(correlation_id)
        found: Sequence[LineageEntry] = ()
        seen, level = {correlation_id}, {correlation_id}
        while level and len(found) < limit:
            below = self._below(level, seen)
            found = [*found, *below]
            level = {entry.id for entry in below}
            seen |= level
        return found[:limit]

    async def children(self, correlation_id: UUID, *, limit: int = 1000) -> Sequence[LineageEntry]:
        await self.get(correlation_id)
        return self._below({correlation_id}, set())[:limit]

    async def route_statistics(self, execution_id: UUID) -> Sequence[RouteStatistics]:
        attempts: defaultdict[tuple[str, UUID], defaultdict[int, list[LineageEntry]]]
        attempts = defaultdict(lambda: defaultdict(list))
        for entry in self._entries.values():
            if entry.execution_id == execution_id:
                attempts[entry.route_id, entry.message_id][entry.attempt].append(entry)
        routes: defaultdict[str, list[list[LineageEntry]]] = defaultdict(list)
        for (route_id, _), of_message in attempts.items():
            routes[route_id].append(of_message[max(of_message)])
        return [_statistics(route_id, routes[route_id]) for route_id in sorted(routes)]

    def _below(self, parents: Iterable[UUID], seen: set[UUID]) -> Sequence[LineageEntry]:
        ids = {child for parent in parents for child in self._children.get(parent, ())} - seen
        return sorted((self._entries[child] for child in ids), key=lambda entry: (entry.started_at, entry.id))

    def _forget(self, entry: LineageEntry) -> None:
        del self._entries[entry.id]
        if entry.parent_id is not None:
            self._children[entry.parent_id].pop(entry.id, None)


def _sort_key(field: str) -> Callable[[LineageEntry], tuple[object, ...]]:
    """What is None must not be compared with what is not."""
    return lambda entry: (getattr(entry, field) is not None, getattr(entry, field), entry.id)


def _statistics(route_id: str, messages: Sequence[Sequence[LineageEntry]]) -> RouteStatistics:
    """Of the last attempt of each message."""
    statuses = [{entry.status for entry in attempt} for attempt in messages]
    durations = [
        (max(ends) - min(entry.started_at for entry in attempt)).total_seconds() * 1000
        for attempt in messages
        if len(ends := [entry.completed_at for entry in attempt if entry.completed_at is not None])
        == len(attempt)
    ]
    failed = sum(StageStatus.FAILED in each for each in statuses)
    return RouteStatistics(
        route_id=route_id,
        total_messages=len(messages),
        completed=sum(each == {StageStatus.COMPLETED} for each in statuses),
        failed=failed,
        in_progress=sum(
            StageStatus.FAILED not in each and any(not status.is_final for status in each)
            for each in statuses
        ),
        avg_duration_ms=sum(durations) / len(durations) if durations else None,
    )
