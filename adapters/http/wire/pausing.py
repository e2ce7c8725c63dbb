"""Pauses of executions and routes on the wire."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Literal
from uuid import UUID

from msgspec import Struct

from adapters.http.wire.pages import page_numbers
from application.engine.route_status import BreakerStatus, RouteStatus
from application.pauses import PauseChange, RouteEverywhere, RouteOfExecution
from application.route_figures import RouteFigure
from domain.execution import Execution
from domain.pause import Pause, PauseScope


class PipelineControlRequest(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the route is to be."""

    state: Literal["paused", "running"]


class PipelineControlResponse(Struct, frozen=True, kw_only=True):
    """What the route is now; `changed` is false when nothing had to be done for it.

    `status` is `paused` as long as any pause holds up all that was named; `message` names those that remain.
    """

    success: bool
    route_id: str
    message: str
    status: str
    execution_id: UUID | None
    paused_at: datetime | None
    changed: bool


class ExecutionPauseResponse(Struct, frozen=True, kw_only=True):
    """How the execution stands; its status says nothing of a pause, `paused_at` does."""

    success: bool
    execution_id: UUID
    status: str
    message: str
    paused_at: datetime | None
    changed: bool


class BreakerResponse(Struct, frozen=True, kw_only=True):
    """The circuit breaker of one pipeline adapter: `failures` of its last `results`, and when an open one is probed."""

    adapter: str
    index: int
    state: str
    failures: int
    results: int
    probes_at: datetime | None


class RouteWorkResponse(Struct, frozen=True, kw_only=True):
    """How the route's processor in the answering server stands; `state` is `open`, `paused` or `breaker`."""

    state: str
    in_flight: int
    concurrency: int
    max_concurrency: int
    latency_ms: float | None
    breakers: list[BreakerResponse]


class PipelineResponse(Struct, frozen=True, kw_only=True):
    """A route of an execution; `paused_by` names every pause that holds it up.

    They are `execution_paused`, `route_paused` and `route_paused_everywhere`.
    """

    route_id: str
    name: str
    execution_id: UUID
    execution_status: str
    tag: str | None
    queue: str
    adapters: list[str]
    state: str
    paused_at: datetime | None
    paused_by: list[str]
    work: RouteWorkResponse | None


class PipelineListResponse(Struct, frozen=True, kw_only=True):
    """A page of routes."""

    pipelines: list[PipelineResponse]
    total: int
    limit: int
    offset: int
    has_more: bool
    next_cursor: str | None = None


class PipelineDetailResponse(Struct, frozen=True, kw_only=True):
    """A route id over all executions that go on; `state` and `paused_at` are of the pause that holds for all of them."""

    route_id: str
    state: str
    paused_at: datetime | None
    pipelines: list[PipelineResponse]


class PipelineStatsResponse(Struct, frozen=True, kw_only=True):
    """A route in figures over `executions`: those that go on, and as many of the latest as were asked for.

    `running` of them go on and have the route, `paused` of those hold it back. Messages are counted by their last
    attempt; durations are null while nothing has ended. `in_flight` and `concurrency` are those of the answering server.
    """

    route_id: str
    executions: int
    running: int
    paused: int
    total_messages: int
    completed: int
    failed: int
    in_progress: int
    avg_duration_ms: float | None
    p50_ms: float | None
    p95_ms: float | None
    p99_ms: float | None
    in_flight: int
    concurrency: int
    open_breakers: int


def pipeline_stats_response(figure: RouteFigure) -> PipelineStatsResponse:
    """A route's figures as they travel."""
    counted, routes = figure.statistics, figure.route.routes
    durations, at_work = counted.durations, [one.status for one in routes if one.status is not None]
    return PipelineStatsResponse(
        route_id=counted.route_id,
        executions=len(figure.executions),
        running=len(routes),
        paused=sum(one.paused_at is not None for one in routes),
        total_messages=counted.total_messages,
        completed=counted.completed,
        failed=counted.failed,
        in_progress=counted.in_progress,
        avg_duration_ms=counted.avg_duration_ms,
        p50_ms=None if durations is None else durations.p50_ms,
        p95_ms=None if durations is None else durations.p95_ms,
        p99_ms=None if durations is None else durations.p99_ms,
        in_flight=sum(one.in_flight for one in at_work),
        concurrency=sum(one.concurrency for one in at_work),
        open_breakers=sum(len(one.open_breakers) for one in at_work),
    )


def pipeline_response(route: RouteOfExecution) -> PipelineResponse:
    """A route of an execution as it travels."""
    return PipelineResponse(
        route_id=route.route.id,
        name=route.route.name,
        execution_id=route.execution.id,
        execution_status=route.execution.status.value,
        tag=route.execution.tag,
        queue=route.route.inbound.queue,
        adapters=[step.type for step in route.route.adapters],
        state=_state(is_paused=route.paused_at is not None),
        paused_at=route.paused_at,
        paused_by=sorted(pause.scope.reason for pause in route.pauses),
        work=None if route.status is None else _work(route.status),
    )


def pipeline_list_response(
    routes: Sequence[RouteOfExecution], *, limit: int, offset: int
) -> PipelineListResponse:
    """A page of routes as it travels."""
    page = [pipeline_response(route) for route in routes[offset : offset + limit]]
    numbers = page_numbers(len(page), total=len(routes), limit=limit, offset=offset)
    return PipelineListResponse(pipelines=page, **numbers)


def pipeline_detail_response(route: RouteEverywhere) -> PipelineDetailResponse:
    """A route id over all executions as it travels."""
    return PipelineDetailResponse(
        route_id=route.route_id,
        state=_state(is_paused=route.pause is not None),
        paused_at=None if route.pause is None else route.pause.paused_at,
        pipelines=[pipeline_response(one) for one in route.routes],
    )


def pipeline_control_response(route_id: str, change: PauseChange) -> PipelineControlResponse:
    """The answer to pausing or resuming a route."""
    return PipelineControlResponse(
        success=True,
        route_id=route_id,
        message=_message(change),
        status=_state(is_paused=change.is_paused),
        execution_id=change.scope.execution_id,
        paused_at=None if change.pause is None else change.pause.paused_at,
        changed=change.has_changed,
    )


def execution_pause_response(execution: Execution, change: PauseChange) -> ExecutionPauseResponse:
    """The answer to pausing or resuming an execution."""
    return ExecutionPauseResponse(
        success=True,
        execution_id=execution.id,
        status=execution.status.value,
        message=_message(change),
        paused_at=None if change.pause is None else change.pause.paused_at,
        changed=change.has_changed,
    )


def _state(*, is_paused: bool) -> str:
    return "paused" if is_paused else "running"


def _message(change: PauseChange) -> str:
    what, pause = _named(change.scope), change.pause
    if pause is not None:
        already = "" if change.has_changed else " already"
        return f"{what} is paused{already}, since {pause.paused_at.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"
    told = f"{what} is not paused any more" if change.has_changed else f"{what} was not paused"
    return told + _still(change.others)


def _still(others: Sequence[Pause]) -> str:
    return f"; still paused: {', '.join(_named(one.scope) for one in others)}" if others else ""


def _named(scope: PauseScope) -> str:
    if scope.route_id is None:
        return f"execution {scope.execution_id}"
    if scope.execution_id is None:
        return f"route {scope.route_id} in all executions"
    return f"route {scope.route_id} of execution {scope.execution_id}"


def _work(status: RouteStatus) -> RouteWorkResponse:
    return RouteWorkResponse(
        state=status.state.value,
        in_flight=status.in_flight,
        concurrency=status.concurrency,
        max_concurrency=status.max_concurrency,
        latency_ms=status.latency_ms,
        breakers=[_breaker(one) for one in status.breakers],
    )


def _breaker(status: BreakerStatus) -> BreakerResponse:
    return BreakerResponse(
        adapter=status.adapter,
        index=status.index,
        state=status.state.value,
        failures=status.failures,
        results=status.results,
        probes_at=status.probes_at,
    )
