"""Lineage in memory."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from datetime import datetime
from uuid import UUID

from adapters.memory.lineage_filter import is_behind, matches
from application.ports.lineage import LineagePlace, LineageQuery, LinkedEntry
from domain.lineage import LineageEntry, LineageEntryNotFound, StageStatus

PAGE = 500


class MemoryLineage:
    """Sink and reader in one: what is recorded can be read at once. It drops what exceeds ``capacity``."""

    def __init__(self, *, capacity: int = 1_000_000) -> None:
        self.capacity = capacity
        self._entries: dict[UUID, LineageEntry] = {}
        self._children: defaultdict[UUID, dict[UUID, None]] = defaultdict(dict)
        self._collected: defaultdict[UUID, dict[UUID, None]] = defaultdict(dict)
        self._dropped = 0

    @property
    def dropped(self) -> int:
        return self._dropped

    def record(self, entry: LineageEntry) -> None:
        earlier = self._entries.get(entry.id)
        if earlier is not None and not earlier.status.may_be_replaced_by(entry.status):
            return
        if earlier is not None:
            self.forget(earlier)
        elif len(self._entries) >= self.capacity:
            self._dropped += 1
            return
        self._entries[entry.id] = entry
        if entry.parent_id is not None:
            self._children[entry.parent_id][entry.id] = None
        if entry.collected_into is not None:
            self._collected[entry.collected_into][entry.id] = None

    async def flush(self) -> None:
        """Nothing waits."""

    async def list(self, query: LineageQuery) -> tuple[Sequence[LineageEntry], int]:
        found = [entry for entry in self._entries.values() if matches(entry, query)]
        found.sort(key=_sort_key(query.sort_by), reverse=query.descending)
        found.sort(key=lambda entry: getattr(entry, query.sort_by) is None)
        after = query.after
        page = (
            found if after is None else [one for one in found if is_behind(one, after, back=query.descending)]
        )
        return page[query.offset : query.offset + query.limit], len(found)

    async def get(self, correlation_id: UUID) -> LineageEntry:
        entry = self._entries.get(correlation_id)
        if entry is None:
            raise LineageEntryNotFound
        return entry

    async def ancestors(self, correlation_id: UUID, *, limit: int = 1000) -> Sequence[LineageEntry]:
        await self.get(correlation_id)
        return self._walked(correlation_id, self._above, limit)

    async def descendants(self, correlation_id: UUID, *, limit: int = 1000) -> Sequence[LineageEntry]:
        await self.get(correlation_id)
        return self._walked(correlation_id, self._beneath, limit)

    async def children(
        self, correlation_id: UUID, *, limit: int = 1000, after: LineagePlace | None = None
    ) -> Sequence[LineageEntry]:
        await self.get(correlation_id)
        children = self._below(correlation_id)
        return [entry for entry in children if after is None or is_behind(entry, after)][:limit]

    async def linked(self, execution_id: UUID) -> AsyncIterator[Sequence[LinkedEntry]]:
        entries = sorted(self.of(execution_id), key=lambda entry: (entry.started_at, entry.id))
        for start in range(0, len(entries), PAGE):
            yield [self._linked(entry) for entry in entries[start : start + PAGE]]

    def of(self, execution_id: UUID) -> Sequence[LineageEntry]:
        """Every entry of an execution."""
        return [entry for entry in self._entries.values() if entry.execution_id == execution_id]

    def failed(self) -> Sequence[LineageEntry]:
        """Every entry that failed."""
        return [entry for entry in self._entries.values() if entry.status is StageStatus.FAILED]

    def begun_before(self, moment: datetime) -> Sequence[LineageEntry]:
        """Every entry that began before a moment."""
        return [entry for entry in self._entries.values() if entry.started_at < moment]

    def has(self, correlation_id: UUID) -> bool:
        """Whether there is such an entry."""
        return correlation_id in self._entries

    def _linked(self, entry: LineageEntry) -> LinkedEntry:
        parent = None if entry.parent_id is None else self._entries.get(entry.parent_id)
        if parent is None:
            return LinkedEntry(entry=entry)
        return LinkedEntry(entry=entry, parent_route_id=parent.route_id, parent_stage_name=parent.stage_name)

    def _walked(
        self, start: UUID, step: Callable[[UUID], Sequence[LineageEntry]], limit: int
    ) -> Sequence[LineageEntry]:
        """Breadth first, without the start, each entry once."""
        found: dict[UUID, None] = {start: None}
        ahead = deque([start])
        while ahead and len(found) <= limit:
            reached = [entry.id for entry in step(ahead.popleft()) if entry.id not in found]
            found |= dict.fromkeys(reached)
            ahead.extend(reached)
        return [self._entries[one] for one in found][1 : limit + 1]

    def _above(self, one: UUID) -> Sequence[LineageEntry]:
        parent = self._entries[one].parent_id
        collected = self._sorted(self._collected.get(one, ()))
        return [self._entries[parent], *collected] if parent in self._entries else collected

    def _beneath(self, one: UUID) -> Sequence[LineageEntry]:
        into = self._entries[one].collected_into
        return [*([self._entries[into]] if into in self._entries else []), *self._below(one)]

    def _below(self, parent_id: UUID) -> Sequence[LineageEntry]:
        return self._sorted(self._children.get(parent_id, ()))

    def _sorted(self, ids: Iterable[UUID]) -> Sequence[LineageEntry]:
        return sorted((self._entries[one] for one in ids), key=lambda entry: (entry.started_at, entry.id))

    def forget(self, entry: LineageEntry) -> None:
        """Remove an entry."""
        del self._entries[entry.id]
        if entry.parent_id is not None:
            self._children[entry.parent_id].pop(entry.id, None)
        if entry.collected_into is not None:
            self._collected[entry.collected_into].pop(entry.id, None)


def _sort_key(field: str) -> Callable[[LineageEntry], tuple[object, ...]]:
    """What is None must not be compared with what is not."""
    return lambda entry: (getattr(entry, field) is not None, getattr(entry, field), entry.id)
