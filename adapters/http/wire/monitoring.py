"""How an execution goes: its graph, its routes, and everything at once for a dashboard."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from msgspec import Struct

from adapters.http.wire.executions import ExecutionDetailResponse, execution_detail_response
from adapters.http.wire.lineage_figures import LineageAdapterStats, adapter_stats
from adapters.http.wire.pausing import RouteWorkResponse, pipeline_response
from application.lineage_figures import ExecutionFigures
from application.pauses import RouteOfExecution
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
    """How a route's messages fared, from lineage; `work` is how it stands in the answering server.

    `paused_by` names the pauses that hold it up. `work` is null when the route does not run there, `queue` when the
    config of the start cannot be read any more.
    """

    route_id: str
    queue: str | None = None
    total_messages: int = 0
    completed: int = 0
    failed: int = 0
    in_progress: int = 0
    avg_duration_ms: float | None = None
    paused_by: list[str] = []
    work: RouteWorkResponse | None = None


class RouteStatsResponse(Struct, frozen=True, kw_only=True):
    """Every route's figures, in the order of the config where that can be read."""

    execution_id: UUID
    routes: list[RouteStats]


class MonitorMetrics(Struct, frozen=True, kw_only=True):
    """The execution's messages: `completed` are settled without failure, `processing` waiting or in work."""

    total: int
    completed: int
    failed: int
    processing: int


class ExecutionStatsResponse(Struct, frozen=True, kw_only=True):
    """An execution in figures: its messages, how long it runs or ran, and from lineage its routes and their pipeline adapters.

    `messages_per_second` are settled ones over the whole time, null when that is none. While it runs,
    `duration_seconds` are those until now.
    """

    execution_id: UUID
    status: str
    started_at: datetime
    completed_at: datetime | None
    duration_seconds: float
    messages_per_second: float | None
    metrics: MonitorMetrics
    routes: list[RouteStats]
    adapters: list[LineageAdapterStats]


class MonitorResponse(Struct, frozen=True, kw_only=True):
    """The execution, its graph, its routes and its figures."""

    execution: ExecutionDetailResponse
    dag: DagResponse
    routes: list[RouteStats]
    metrics: MonitorMetrics


def dag_response(execution: Execution, pipeline: Pipeline) -> DagResponse:
    """The graph as it travels."""
    init_queue, nodes, edges = graph_of(pipeline)
    return DagResponse(execution_id=execution.id, init_queue=init_queue, nodes=nodes, edges=edges)


def graph_of(pipeline: Pipeline) -> tuple[str | None, list[DagNode], list[DagEdge]]:
    """The queue of the first message, the routes and what joins them."""
    routes = pipeline.routes
    init = pipeline.init_message
    first = routes.get(init.route) if init is not None else None
    nodes = [
        DagNode(route_id=route.id, name=route.name, adapters=[step.type for step in route.adapters])
        for route in routes.values()
    ]
    edges = [
        DagEdge(from_route=source, to_route=target, queue=queue) for source, target, queue in pipeline.edges()
    ]
    return None if first is None else first.inbound.queue, nodes, edges


def route_stats(
    statistics: Sequence[RouteStatistics], routes: Sequence[RouteOfExecution] = ()
) -> list[RouteStats]:
    """The routes' figures: those of the config in its order, also without messages, then any others."""
    counted = {one.route_id: one for one in statistics}
    known = {one.route.id: one for one in routes}
    return [_stats(route_id, counted.get(route_id), known.get(route_id)) for route_id in known | counted]


def _stats(route_id: str, counted: RouteStatistics | None, route: RouteOfExecution | None) -> RouteStats:
    figures = counted or RouteStatistics(route_id=route_id)
    known = None if route is None else pipeline_response(route)
    return RouteStats(
        route_id=route_id,
        queue=None if known is None else known.queue,
        total_messages=figures.total_messages,
        completed=figures.completed,
        failed=figures.failed,
        in_progress=figures.in_progress,
        avg_duration_ms=figures.avg_duration_ms,
        paused_by=[] if known is None else known.paused_by,
        work=None if known is None else known.work,
    )


def monitor_response(
    execution: Execution,
    pipeline: Pipeline,
    statistics: Sequence[RouteStatistics],
    routes: Sequence[RouteOfExecution],
) -> MonitorResponse:
    """Everything at once."""
    return MonitorResponse(
        execution=execution_detail_response(execution),
        dag=dag_response(execution, pipeline),
        routes=route_stats(statistics, routes),
        metrics=_metrics(execution),
    )


def stats_response(
    execution: Execution, figures: ExecutionFigures, routes: Sequence[RouteOfExecution], *, now: datetime
) -> ExecutionStatsResponse:
    """An execution's figures as they travel."""
    seconds = max(0.0, ((execution.completed_at or now) - execution.started_at).total_seconds())
    metrics = _metrics(execution)
    settled = metrics.total - metrics.processing
    return ExecutionStatsResponse(
        execution_id=execution.id,
        status=execution.status.value,
        started_at=execution.started_at,
        completed_at=execution.completed_at,
        duration_seconds=seconds,
        messages_per_second=settled / seconds if seconds else None,
        metrics=metrics,
        routes=route_stats(figures.routes, routes),
        adapters=[adapter_stats(one) for one in figures.adapters],
    )


def _metrics(execution: Execution) -> MonitorMetrics:
    counts = execution.counts
    return MonitorMetrics(
        total=counts.total,
        completed=counts.done + counts.skipped,
        failed=counts.dead,
        processing=counts.outstanding,
    )
