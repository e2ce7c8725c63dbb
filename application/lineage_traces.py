"""Traces an entry back to where it came from and forward to what became of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from application.ports.lineage import LineageReader
from domain.lineage import LineageEntry, LineagePathNotFound

LONGEST_PATH = 10_000
"""How far up a path is looked for, in entries."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LineageChain:
    """An entry with where it came from, the nearest first, and what came from it, near ones before far ones."""

    entry: LineageEntry
    ancestors: Sequence[LineageEntry]
    descendants: Sequence[LineageEntry]


@dataclass(frozen=True, slots=True, kw_only=True)
class LineagePath:
    """The way from one entry to another: up to the nearest entry that both came from (or are), then down."""

    entries: Sequence[LineageEntry]
    turning_point: LineageEntry


@dataclass(frozen=True, slots=True, kw_only=True)
class LineageTraces:
    """Follows parents up and children down; LineageEntryNotFound where an entry named is not there."""

    reader: LineageReader

    async def ancestors(self, correlation_id: UUID, *, limit: int = 1000) -> Sequence[LineageEntry]:
        """The entries it came from, the nearest first."""
        return await self.reader.ancestors(correlation_id, limit=limit)

    async def descendants(self, correlation_id: UUID, *, limit: int = 1000) -> Sequence[LineageEntry]:
        """The entries that came from it, near ones before far ones."""
        return await self.reader.descendants(correlation_id, limit=limit)

    async def chain(self, correlation_id: UUID, *, limit: int = 1000) -> LineageChain:
        """Both, up to ``limit`` each, and the entry."""
        return LineageChain(
            entry=await self.reader.get(correlation_id),
            ancestors=await self.ancestors(correlation_id, limit=limit),
            descendants=await self.descendants(correlation_id, limit=limit),
        )

    async def path(self, start: UUID, end: UUID) -> LineagePath:
        """The way from one entry to another, both among its entries; raises LineagePathNotFound.

        Where one came from the other it leads straight up or down; else over the nearest entry that both came from.
        """
        up, down = await self._upwards(start), await self._upwards(end)
        below = {entry.id for entry in down}
        for entry in up:
            if entry.id in below:
                way_down = _way_up(down, entry)[:-1]
                return LineagePath(entries=[*_way_up(up, entry), *reversed(way_down)], turning_point=entry)
        raise LineagePathNotFound

    async def _upwards(self, correlation_id: UUID) -> Sequence[LineageEntry]:
        entry = await self.reader.get(correlation_id)
        return [entry, *await self.reader.ancestors(correlation_id, limit=LONGEST_PATH)]


def _way_up(entries: Sequence[LineageEntry], end: LineageEntry) -> Sequence[LineageEntry]:
    """From the first of the entries to one that it came from, each the one from which the one before it came.

    The first is followed by what it came from, breadth first; ``end`` is among them.
    """
    places = {entry.id: place for place, entry in enumerate(entries)}
    nearer: dict[UUID, LineageEntry] = {}
    for entry in entries:
        if entry.parent_id is not None:
            nearer.setdefault(entry.parent_id, entry)
    way = [end]
    while places[way[-1].id]:
        one = way[-1]
        into = one.collected_into
        # Of two ways the one whose entry was found first: that one is nearer, so the way comes to its end.
        steps = [entries[places[into]]] if into in places else []
        steps += [nearer[one.id]] if one.id in nearer else []
        way.append(min(steps, key=lambda step: places[step.id]))
    return way[::-1]
