"""How an execution goes: its graph, its routes, its lineage, and everything at once."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import Annotated
from uuid import UUID

from litestar import Controller, get
from litestar.di import NamedDependency
from litestar.params import QueryParameter, SkipValidation

from adapters.http.controllers.executions import IdOrTag
from adapters.http.controllers.executions import UseCase as ExecutionsUseCase
from adapters.http.wire.lineage import ExecutionLineageResponse, execution_lineage_response, place_of
from adapters.http.wire.monitoring import (
    DagResponse,
    ExecutionStatsResponse,
    MonitorResponse,
    RouteStatsResponse,
    dag_response,
    monitor_response,
    route_stats,
    stats_response,
)
from adapters.http.wire.pages import Cursor, Offset
from application.engine.snapshot import SnapshotNotRunnable
from application.lineage import Lineage
from application.lineage_figures import LineageFigures
from application.pauses import Pausing, RouteOfExecution
from application.ports.lineage import InvalidLineageQuery, LineageQuery
from domain.execution import ExecutionNotFound

LineageUseCase = NamedDependency[SkipValidation[Lineage]]
FiguresUseCase = NamedDependency[SkipValidation[LineageFigures]]
PausingUseCase = NamedDependency[SkipValidation[Pausing]]
LongLimit = Annotated[int, QueryParameter(ge=1, le=10_000, description="How many to return at most.")]


class MonitoringController(Controller):
    path = "/api/v1/executions/{execution_id:str}"
    tags = ("executions",)

    @get(
        "/dag",
        operation_id="get_execution_dag",
        summary="Read an execution's graph",
        opt={"errors": (ExecutionNotFound, SnapshotNotRunnable)},
    )
    async def dag(self, executions: ExecutionsUseCase, execution_id: IdOrTag) -> DagResponse:
        """Routes as nodes, queues as edges, from the config as it was at the start."""
        execution, pipeline = await executions.pipeline(execution_id)
        return dag_response(execution, pipeline)

    @get(
        "/routes",
        operation_id="get_execution_routes",
        summary="Read how an execution's routes fare",
        opt={"errors": (ExecutionNotFound,)},
    )
    async def routes(
        self,
        executions: ExecutionsUseCase,
        lineage: LineageUseCase,
        pausing: PausingUseCase,
        execution_id: IdOrTag,
    ) -> RouteStatsResponse:
        """Numbers of messages from lineage, and how each route stands: queue, concurrency, circuit breakers, pauses.

        When the config of the start cannot be read any more, only routes with messages are there.
        """
        execution = await executions.get(execution_id)
        statistics = await lineage.route_statistics(str(execution.id))
        routes = await _readable_routes(pausing, execution.id)
        return RouteStatsResponse(execution_id=execution.id, routes=route_stats(statistics, routes))

    @get(
        "/stats",
        operation_id="get_execution_stats",
        summary="Read an execution in figures",
        opt={"errors": (ExecutionNotFound,)},
    )
    async def stats(
        self,
        executions: ExecutionsUseCase,
        lineage_figures: FiguresUseCase,
        pausing: PausingUseCase,
        execution_id: IdOrTag,
    ) -> ExecutionStatsResponse:
        """Messages by how they fared, time and pace; the share of each route, and how its pipeline adapters do.

        A pipeline adapter counts every attempt.
        """
        execution = await executions.get(execution_id)
        figures = await lineage_figures.of_execution(str(execution.id))
        routes = await _readable_routes(pausing, execution.id)
        return stats_response(execution, figures, routes, now=executions.engine.ports.clock.now())

    @get(
        "/lineage",
        operation_id="get_execution_lineage",
        summary="Read an execution's lineage",
        opt={"errors": (ExecutionNotFound, InvalidLineageQuery)},
    )
    async def lineage_of(
        self,
        executions: ExecutionsUseCase,
        lineage: LineageUseCase,
        execution_id: IdOrTag,
        limit: LongLimit = 1000,
        offset: Offset = 0,
        cursor: Cursor = None,
    ) -> ExecutionLineageResponse:
        """By start."""
        execution = await executions.get(execution_id)
        query = LineageQuery(execution_id=execution.id, limit=limit, offset=offset, after=place_of(cursor))
        page = await lineage.list(query)
        return execution_lineage_response(execution.id, page)

    @get(
        "/monitor",
        operation_id="get_execution_monitor",
        summary="Read everything about an execution at once",
        opt={"errors": (ExecutionNotFound, SnapshotNotRunnable)},
    )
    async def monitor(
        self,
        executions: ExecutionsUseCase,
        lineage: LineageUseCase,
        pausing: PausingUseCase,
        execution_id: IdOrTag,
    ) -> MonitorResponse:
        """The execution, its graph, its routes and its figures, for a dashboard."""
        execution, pipeline = await executions.pipeline(execution_id)
        statistics = await lineage.route_statistics(str(execution.id))
        routes = await pausing.routes(str(execution.id))
        return monitor_response(execution, pipeline, statistics, routes)


async def _readable_routes(pausing: Pausing, execution_id: UUID) -> Sequence[RouteOfExecution]:
    """The routes of the config of the start, none when that cannot be read any more."""
    with suppress(SnapshotNotRunnable):
        return await pausing.routes(str(execution_id))
    return ()
