"""How an execution goes: its graph, its routes, and everything at once for a dashboard."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from msgspec import Struct

from adapters.http.wire.executions import ExecutionDetailResponse, execution_detail_response
from application.ports.lineage_statistics import RouteStatistics
from domain.execution import Execution
from domain.pipeline import Pipeline


class DagNode(Struct, frozen=True, kw_only=True):
    """A route with the types of its pipeline adapters, in order."""

    route_id: str
    name: str
    adapters: list[str]


class DagEdge(Struct, frozen=True, kw_only=True):
    """A queue that joins two routes."""

    from_route: str
    to_route: str
    queue: str


class DagResponse(Struct, frozen=True, kw_only=True):
    """The pipeline of the config snapshot as a graph; `init_queue` is where the first message goes."""

    execution_id: UUID
    init_queue: str | None
    nodes: list[DagNode]
    edges: list[DagEdge]


class RouteStats(Struct, frozen=True, kw_only=True):
    """How a route's messages fared, from lineage."""

    route_id: str
    total_messages: int = 0
    completed: int = 0
    failed: int = 0
    in_progress: int = 0
    avg_duration_ms: float | None = None


class RouteStatsResponse(Struct, frozen=True, kw_only=True):
    """Every route's figures."""

    execution_id: UUID
    routes: list[RouteStats]


class MonitorMetrics(Struct, frozen=True, kw_only=True):
    """The execution's messages: `completed` are settled without failure, `processing` waiting or in work."""

    total: int
    completed: int
    failed: int
    processing: int


class MonitorResponse(Struct, frozen=True, kw_only=True):
    """The execution, its graph, its routes and its figures."""

    execution: ExecutionDetailResponse
    dag: DagResponse
    routes: list[RouteStats]
    metrics: MonitorMetrics


def dag_response(execution: Execution, pipeline: Pipeline) -> DagResponse:
    """The graph as it travels."""
    routes = pipeline.routes
    init = pipeline.init_message
    first = routes.get(init.route) if init is not None else None
    return DagResponse(
        execution_id=execution.id,
        init_queue=None if first is None else first.inbound.queue,
        nodes=[
            DagNode(route_id=route.id, name=route.name, adapters=[step.type for step in route.adapters])
            for route in routes.values()
        ],
        edges=[
            DagEdge(from_route=source, to_route=target, queue=queue)
            for source, target, queue in pipeline.edges()
        ],
    )


def route_stats(statistics: Sequence[RouteStatistics], pipeline: Pipeline | None = None) -> list[RouteStats]:
    """The routes' figures; with a pipeline its routes come in its order, those without messages too."""
    found = {
        one.route_id: RouteStats(
            route_id=one.route_id,
            total_messages=one.total_messages,
            completed=one.completed,
            failed=one.failed,
            in_progress=one.in_progress,
            avg_duration_ms=one.avg_duration_ms,
        )
        for one in statistics
    }
    configured = {} if pipeline is None else {route: RouteStats(route_id=route) for route in pipeline.routes}
    return list((configured | found).values())


def monitor_response(
    execution: Execution, pipeline: Pipeline, statistics: Sequence[RouteStatistics]
) -> MonitorResponse:
    """Everything at once."""
    counts = execution.counts
    return MonitorResponse(
        execution=execution_detail_response(execution),
        dag=dag_response(execution, pipeline),
        routes=route_stats(statistics, pipeline),
        metrics=MonitorMetrics(
            total=counts.total,
            completed=counts.done + counts.skipped,
            failed=counts.dead,
            processing=counts.outstanding,
        ),
    )
