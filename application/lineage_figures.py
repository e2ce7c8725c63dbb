"""How an execution's routes and pipeline adapters fared, and what failed most."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from application.lineage import execution_named
from application.ports.lineage_statistics import (
    AdapterStatistics,
    FailureGroup,
    LineageStatistics,
    RouteStatistics,
)
from application.ports.unit_of_work import UnitOfWork


@dataclass(frozen=True, slots=True, kw_only=True)
class ExecutionFigures:
    """An execution's routes and their pipeline adapters in figures; what has no lineage is not there."""

    execution_id: UUID
    routes: Sequence[RouteStatistics]
    adapters: Sequence[AdapterStatistics]


@dataclass(frozen=True, slots=True, kw_only=True)
class LineageFigures:
    """Lineage summed up. Executions are named by id or tag; ExecutionNotFound where there is none."""

    statistics: LineageStatistics
    work: UnitOfWork

    async def of_execution(self, id_or_tag: str) -> ExecutionFigures:
        """Counts and durations per route and per pipeline adapter."""
        execution = await execution_named(self.work, id_or_tag)
        return ExecutionFigures(
            execution_id=execution.id,
            routes=await self.statistics.routes(execution.id),
            adapters=await self.statistics.adapters(execution.id),
        )

    async def failures(self, id_or_tag: str | None = None, *, limit: int = 100) -> Sequence[FailureGroup]:
        """What failed in one execution or in all, grouped by error, the most frequent first."""
        execution_id = None if id_or_tag is None else (await execution_named(self.work, id_or_tag)).id
        return await self.statistics.failures(execution_id, limit=limit)
