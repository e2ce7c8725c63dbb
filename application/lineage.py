"""Lineage: the entries of messages, one by one, in pages, or all of an execution."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, replace
from uuid import UUID

from application.ports.counting import COUNTED_EXACTLY
from application.ports.lineage import LineagePlace, LineageQuery, LineageReader, LinkedEntry
from application.ports.lineage_statistics import LineageStatistics, RouteStatistics
from application.ports.unit_of_work import UnitOfWork
from domain.execution import Execution
from domain.lineage import LineageEntry, StageStatus


@dataclass(frozen=True, slots=True, kw_only=True)
class LineagePage:
    """Some entries of an execution (None: of any), how many there are in all, and whether any come behind these.

    ``total`` is exact up to ``COUNTED_EXACTLY``, above that an estimate.
    """

    execution_id: UUID | None
    entries: Sequence[LineageEntry]
    total: int
    has_more: bool = False

    @property
    def is_total_exact(self) -> bool:
        """Whether all were counted."""
        return self.total <= COUNTED_EXACTLY


@dataclass(frozen=True, slots=True, kw_only=True)
class ExecutionLineage:
    """An execution, and its lineage a page at a time; see ``LineageReader.linked``."""

    execution: Execution
    pages: AsyncIterator[Sequence[LinkedEntry]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Lineage:
    """What can be asked of lineage. Executions are named by id or tag; ExecutionNotFound where there is none."""

    reader: LineageReader
    statistics: LineageStatistics
    work: UnitOfWork

    async def list(self, query: LineageQuery) -> LineagePage:
        """Entries of any execution; those of a replay batch by the query's ``replay_batch_id``."""
        # One more than is asked for tells whether any come behind.
        entries, total = await self.reader.list(replace(query, limit=query.limit + 1))
        return LineagePage(
            execution_id=query.execution_id,
            entries=entries[: query.limit],
            total=total,
            has_more=len(entries) > query.limit,
        )

    async def get(self, correlation_id: UUID) -> LineageEntry:
        """One entry; raises LineageEntryNotFound."""
        return await self.reader.get(correlation_id)

    async def children(
        self, correlation_id: UUID, *, limit: int = 1000, after: LineagePlace | None = None
    ) -> Sequence[LineageEntry]:
        """The entries whose parent it is, by start; raises LineageEntryNotFound."""
        return await self.reader.children(correlation_id, limit=limit, after=after)

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

    async def whole(self, id_or_tag: str) -> ExecutionLineage:
        """Everything lineage has of an execution, to be read through once."""
        execution = await execution_named(self.work, id_or_tag)
        return ExecutionLineage(execution=execution, pages=self.reader.linked(execution.id))

    async def _id_of(self, id_or_tag: str) -> UUID:
        return (await execution_named(self.work, id_or_tag)).id


async def execution_named(work: UnitOfWork, id_or_tag: str) -> Execution:
    """The execution with that id or tag; raises ExecutionNotFound."""
    async with work.begin() as repositories:
        try:
            execution_id = UUID(id_or_tag)
        except ValueError:
            return await repositories.executions.by_tag(id_or_tag)
        return await repositories.executions.get(execution_id)
