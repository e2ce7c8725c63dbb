"""Pausing and resuming: routes under `/pipelines`, whole executions beside their other operations."""

from __future__ import annotations

from typing import Annotated

from litestar import Controller, get, patch, post
from litestar.di import NamedDependency
from litestar.params import JSONBody, PathParameter, QueryParameter, SkipValidation

from adapters.http.controllers.executions import IdOrTag
from adapters.http.wire.pages import Limit, Offset
from adapters.http.wire.pausing import (
    ExecutionPauseResponse,
    PipelineControlRequest,
    PipelineControlResponse,
    PipelineDetailResponse,
    PipelineListResponse,
    PipelineStatsResponse,
    execution_pause_response,
    pipeline_control_response,
    pipeline_detail_response,
    pipeline_list_response,
    pipeline_stats_response,
)
from application.engine.snapshot import SnapshotNotRunnable
from application.pauses import Pausing
from application.route_figures import RouteFigures
from domain.execution import ExecutionNotFound
from domain.pause import PauseNotAllowed, RouteNotFound

UseCase = NamedDependency[SkipValidation[Pausing]]
FiguresUseCase = NamedDependency[SkipValidation[RouteFigures]]
Latest = Annotated[
    int,
    QueryParameter(ge=0, le=100, description="How many of the executions that began last to look at."),
]
RouteId = Annotated[str, PathParameter(description="The route's id in its pipeline config.")]
OfExecution = Annotated[
    str | None,
    QueryParameter(
        name="execution_id", description="Of this execution alone, by its id or tag; without it, of all."
    ),
]


class PipelinesController(Controller):
    path = "/api/v1/pipelines"
    tags = ("pipelines",)

    @get(
        operation_id="list_pipelines",
        summary="List routes and whether they are paused",
        opt={"errors": (ExecutionNotFound, SnapshotNotRunnable)},
    )
    async def list_all(
        self, pausing: UseCase, of_execution: OfExecution = None, limit: Limit = 100, offset: Offset = 0
    ) -> PipelineListResponse:
        """Those of an execution in the order of its config, or of all executions that go on, the oldest first."""
        return pipeline_list_response(await pausing.routes(of_execution), limit=limit, offset=offset)

    @get(
        "/{route_id:str}",
        operation_id="get_pipeline",
        summary="Read a route over all executions",
        opt={"errors": (RouteNotFound,)},
    )
    async def read(self, pausing: UseCase, route_id: RouteId) -> PipelineDetailResponse:
        """Every execution that goes on and has a route of that id."""
        return pipeline_detail_response(await pausing.route(route_id))

    @get(
        "/{route_id:str}/stats",
        operation_id="get_pipeline_stats",
        summary="Read a route in figures, over executions",
        opt={"errors": (RouteNotFound,)},
    )
    async def stats(
        self, route_figures: FiguresUseCase, route_id: RouteId, latest: Latest = 10
    ) -> PipelineStatsResponse:
        """Over the executions that go on and those that began last; messages by their last attempt, from lineage."""
        return pipeline_stats_response(await route_figures.of(route_id, latest=latest))

    @patch(
        "/{route_id:str}",
        operation_id="update_pipeline_state",
        summary="Pause or resume a route",
        opt={"errors": (RouteNotFound, ExecutionNotFound, PauseNotAllowed, SnapshotNotRunnable)},
    )
    async def change_state(
        self,
        pausing: UseCase,
        route_id: RouteId,
        data: JSONBody[PipelineControlRequest],
        of_execution: OfExecution = None,
    ) -> PipelineControlResponse:
        """In all executions, those to come too, unless one is named. To ask for what is so already is no error."""
        change = await pausing.change_route(
            route_id, is_paused=data.state == "paused", id_or_tag=of_execution
        )
        return pipeline_control_response(route_id, change)


class ExecutionPausesController(Controller):
    path = "/api/v1/executions/{execution_id:str}"
    tags = ("executions",)

    @post(
        "/pause",
        status_code=200,
        operation_id="pause_execution",
        summary="Pause an execution",
        opt={"errors": (ExecutionNotFound, PauseNotAllowed)},
    )
    async def pause(self, pausing: UseCase, execution_id: IdOrTag) -> ExecutionPauseResponse:
        """What is being processed goes on to its end, nothing new begins, and the status stays `running`."""
        execution, change = await pausing.change_execution(execution_id, is_paused=True)
        return execution_pause_response(execution, change)

    @post(
        "/resume",
        status_code=200,
        operation_id="resume_execution",
        summary="Resume an execution",
        opt={"errors": (ExecutionNotFound, PauseNotAllowed)},
    )
    async def resume(self, pausing: UseCase, execution_id: IdOrTag) -> ExecutionPauseResponse:
        """Lifts the pause of the whole execution; pauses of its routes stay, and the message names them."""
        execution, change = await pausing.change_execution(execution_id, is_paused=False)
        return execution_pause_response(execution, change)
