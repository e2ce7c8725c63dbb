"""Lineage: where a message came from, what became of it, and how a run's routes fared."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from uuid import UUID

from application.ports.lineage import LineageQuery, LineageReader
from application.ports.lineage_statistics import LineageStatistics, RouteStatistics
from application.ports.unit_of_work import UnitOfWork
from domain.lineage import LineageEntry, StageStatus


@dataclass(frozen=True, slots=True, kw_only=True)
class LineageChain:
    """An entry with where it came from, the nearest first, and what came from it, near ones before far ones."""

    entry: LineageEntry
    ancestors: Sequence[LineageEntry]
    descendants: Sequence[LineageEntry]


@dataclass(frozen=True, slots=True, kw_only=True)
class LineagePage:
    """Some entries of an execution (None: of any), and how many there are in all; see ``LineageReader.list``."""

    execution_id: UUID | None
    entries: Sequence[LineageEntry]
    total: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Lineage:
    """What can be asked of lineage. Executions are named by id or tag; ExecutionNotFound where there is none."""

    reader: LineageReader
    statistics: LineageStatistics
    work: UnitOfWork

    async def list(self, query: LineageQuery) -> LineagePage:
        """Entries of any execution; those of a replay batch by the query's ``replay_batch_id``."""
        entries, total = await self.reader.list(query)
        return LineagePage(execution_id=query.execution_id, entries=entries, total=total)

    async def get(self, correlation_id: UUID) -> LineageEntry:
        """One entry; raises LineageEntryNotFound."""
        return await self.reader.get(correlation_id)

    async def chain(self, correlation_id: UUID, *, limit: int = 1000) -> LineageChain:
        """An entry's ancestors and descendants, up to ``limit`` each; raises LineageEntryNotFound."""
        return LineageChain(
            entry=await self.reader.get(correlation_id),
            ancestors=await self.reader.ancestors(correlation_id, limit=limit),
            descendants=await self.reader.descendants(correlation_id, limit=limit),
        )

    async def children(self, correlation_id: UUID, *, limit: int = 1000) -> Sequence[LineageEntry]:
        """The entries whose parent it is, by start; raises LineageEntryNotFound."""
        return await self.reader.children(correlation_id, limit=limit)

    async def failures(
        self, id_or_tag: str | None = None, *, query: LineageQuery | None = None
    ) -> LineagePage:
        """The failed entries of one execution or of all, the latest first unless the query says otherwise."""
        wanted = replace(query or LineageQuery(descending=True), status=StageStatus.FAILED)
        return await self.list(wanted) if id_or_tag is None else await self.for_execution(id_or_tag, wanted)

    async def for_execution(self, id_or_tag: str, query: LineageQuery | None = None) -> LineagePage:
        """The entries of one execution."""
        execution_id = await self._id_of(id_or_tag)
        return await self.list(replace(query or LineageQuery(), execution_id=execution_id))

    async def route_statistics(self, id_or_tag: str) -> Sequence[RouteStatistics]:
        """How the messages of each route of an execution fared, by route id; a route without lineage is not there."""
        return await self.statistics.routes(await self._id_of(id_or_tag))

    async def _id_of(self, id_or_tag: str) -> UUID:
        async with self.work.begin() as repositories:
            try:
                execution_id = UUID(id_or_tag)
            except ValueError:
                return (await repositories.executions.by_tag(id_or_tag)).id
            return (await repositories.executions.get(execution_id)).id
