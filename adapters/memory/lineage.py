"""Lineage in memory."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import AsyncIterator, Callable, Sequence
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
        entry: LineageEntry | None = await self.get(correlation_id)
        found: dict[UUID, LineageEntry] = {}
        while entry is not None and len(found) <= limit and entry.id not in found:
            found[entry.id] = entry
            entry = self._entries.get(entry.parent_id) if entry.parent_id else None
        return [*found.values()][1 : limit + 1]

    async def descendants(self, correlation_id: UUID, *, limit: int = 1000) -> Sequence[LineageEntry]:
        await self.get(correlation_id)
        found: dict[UUID, None] = {correlation_id: None}
        ahead = deque([correlation_id])
        while ahead and len(found) <= limit:
            below = [entry.id for entry in self._below(ahead.popleft()) if entry.id not in found]
            found |= dict.fromkeys(below)
            ahead.extend(below)
        return [self._entries[one] for one in found][1 : limit + 1]

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

    def _below(self, parent_id: UUID) -> Sequence[LineageEntry]:
        children = [self._entries[child] for child in self._children.get(parent_id, ())]
        return sorted(children, key=lambda entry: (entry.started_at, entry.id))

    def forget(self, entry: LineageEntry) -> None:
        """Remove an entry."""
        del self._entries[entry.id]
        if entry.parent_id is not None:
            self._children[entry.parent_id].pop(entry.id, None)


def _sort_key(field: str) -> Callable[[LineageEntry], tuple[object, ...]]:
    """What is None must not be compared with what is not."""
    return lambda entry: (getattr(entry, field) is not None, getattr(entry, field), entry.id)
