"""Replays: running again what an execution kept."""

from __future__ import annotations

from typing import Annotated, Any
from uuid import UUID

from litestar import Controller, Response, get, post
from litestar.di import NamedDependency
from litestar.params import JSONBody, PathParameter, QueryParameter, SkipValidation

from adapters.http.controllers.executions import IdOrTag
from adapters.http.errors import UnknownConfig
from adapters.http.examples import example_of
from adapters.http.wire.executions import (
    ExecutionListResponse,
    StartedExecutionResponse,
    execution_list_response,
    started_response,
)
from adapters.http.wire.pages import ExecutionCursor, Limit, Offset
from adapters.http.wire.replays import (
    DetachedReplayRequest,
    DetachedReplayResponse,
    ExecutionReplayRequest,
    ReplayBatchListResponse,
    ReplayBatchResponse,
    ReplayDryRunResponse,
    batch_list_response,
    batch_response,
    detached_request,
    detached_response,
    dry_run_response,
    replay_request,
)
from application.engine.snapshot import SnapshotNotRunnable
from application.replay_plan import ReplayPlan
from application.replays import Replays
from domain.execution import (
    Execution,
    ExecutionNotFound,
    ExecutionStatus,
    InvalidTag,
    TagTaken,
    TooManyConcurrentExecutions,
)
from domain.findings import ConfigNotRunnable
from domain.message import MessageTooLarge, PayloadRejected
from domain.pipeline_config import ConfigInactive, ConfigNotFound
from domain.replay import (
    InvalidReplay,
    ReplayBatchNotFound,
    ReplayRequest,
    ReplayRouteNeeded,
    ReplayRouteUnfit,
    ReplayRouteUnknown,
    ReplaySourceEmpty,
    ReplaySourceGone,
    ReplayStageAmbiguous,
    ReplayStageUnknown,
)
from domain.storage import InvalidKey

BatchId = Annotated[UUID, PathParameter(description="The replay batch's id.")]
FromExecution = Annotated[
    str | None,
    QueryParameter(name="from_execution_id", description="Only replays of this execution, by its id or tag."),
]
AnyStatus = Annotated[
    ExecutionStatus | None, QueryParameter(description="Only those whose execution is of this status.")
]
UseCase = NamedDependency[SkipValidation[Replays]]
ERRORS = (
    ExecutionNotFound,
    InvalidReplay,
    ReplayStageUnknown,
    ReplayStageAmbiguous,
    ReplayRouteUnknown,
    ReplayRouteNeeded,
    ReplayRouteUnfit,
    ReplaySourceEmpty,
    ReplaySourceGone,
    SnapshotNotRunnable,
    UnknownConfig,
    ConfigInactive,
    ConfigNotRunnable,
    InvalidKey,
    MessageTooLarge,
    PayloadRejected,
    InvalidTag,
    TagTaken,
    TooManyConcurrentExecutions,
)
_DRY_RUN = {
    "200": {
        "description": "With `dry_run`: what the replay would do, or what keeps it from being made.",
        "content": {
            "application/json": {
                "schema": {"$ref": "#/components/schemas/ReplayDryRunResponse"},
                "example": example_of(ReplayDryRunResponse),
            }
        },
    }
}
_OPTIONS: dict[str, Any] = {"errors": ERRORS, "answers": _DRY_RUN, "shapes": (ReplayDryRunResponse,)}


class ReplaysController(Controller):
    path = "/api/v1"
    tags = ("replay",)

    @post(
        "/executions/{execution_id:str}/replay",
        operation_id="replay_execution",
        summary="Replay an execution",
        opt=_OPTIONS,
    )
    async def replay(
        self, replays: UseCase, execution_id: IdOrTag, data: JSONBody[ExecutionReplayRequest]
    ) -> Response[StartedExecutionResponse]:
        """Starts a new execution, linked to this one, with what it kept at a stage.

        It runs the config as this execution had it, unless `config_id` names another.
        """
        request = replay_request(data)
        if data.dry_run:
            return await _dry_run(replays, execution_id, request)
        execution, _ = await _started(replays, execution_id, request)
        return _created(execution, started_response(execution))

    @post(
        "/replay", operation_id="execute_replay", summary="Replay stored objects into a route", opt=_OPTIONS
    )
    async def detached(
        self, replays: UseCase, data: JSONBody[DetachedReplayRequest]
    ) -> Response[DetachedReplayResponse]:
        """The same from storage, with the execution in the body and an answer in numbers."""
        parent, request = str(data.from_execution_id), detached_request(data)
        if data.dry_run:
            return await _dry_run(replays, parent, request)
        execution, plan = await _started(replays, parent, request)
        return _created(execution, detached_response(execution, plan, data))

    @post(
        "/replay/preview",
        status_code=200,
        operation_id="preview_replay",
        summary="Say what a detached replay would do",
        opt={"errors": (InvalidReplay, ExecutionNotFound)},
    )
    async def preview(self, replays: UseCase, data: JSONBody[DetachedReplayRequest]) -> ReplayDryRunResponse:
        """The same as `dry_run`, whatever that is here: nothing is started, and whoever may read may ask."""
        plan = await replays.plan(str(data.from_execution_id), detached_request(data))
        return dry_run_response(plan)

    @get(
        "/replay/batches",
        operation_id="list_replay_batches",
        summary="List replay batches",
        opt={"errors": (ExecutionNotFound,)},
    )
    async def batches(
        self,
        replays: UseCase,
        from_execution: FromExecution = None,
        status: AnyStatus = None,
        limit: Limit = 100,
        cursor: ExecutionCursor = None,
    ) -> ReplayBatchListResponse:
        """The latest first, each with the execution that its messages are in."""
        page, total = await replays.batches(
            parent=from_execution, status=status, limit=limit + 1, before=cursor
        )
        return batch_list_response(page, total=total, limit=limit)

    @get(
        "/replay/batches/{batch_id:uuid}",
        operation_id="get_replay_batch",
        summary="Read a replay batch",
        opt={"errors": (ReplayBatchNotFound,)},
    )
    async def batch(self, replays: UseCase, batch_id: BatchId) -> ReplayBatchResponse:
        """By the id that lineage entries have as `replay_batch_id`; `GET /api/v1/lineage/batch/{batch_id}` has those."""
        return batch_response(await replays.batch(batch_id))

    @get(
        "/executions/{execution_id:str}/replays",
        operation_id="get_execution_replays",
        summary="List an execution's replays",
        opt={"errors": (ExecutionNotFound,)},
    )
    async def of_execution(
        self,
        replays: UseCase,
        execution_id: IdOrTag,
        limit: Limit = 100,
        offset: Offset = 0,
        cursor: ExecutionCursor = None,
    ) -> ExecutionListResponse:
        """The executions that replay this one, the latest first."""
        page, total = await replays.of(execution_id, limit=limit + 1, offset=offset, before=cursor)
        return execution_list_response(page, total=total, limit=limit, offset=offset)


async def _dry_run(replays: Replays, parent: str, request: ReplayRequest) -> Response[Any]:
    return Response(dry_run_response(await replays.plan(parent, request)), status_code=200)


async def _started(replays: Replays, parent: str, request: ReplayRequest) -> tuple[Execution, ReplayPlan]:
    try:
        return await replays.start(parent, request)
    except ConfigNotFound as error:
        raise UnknownConfig(error.message) from error


def _created(execution: Execution, body: Any) -> Response[Any]:
    return Response(body, headers={"location": f"/api/v1/executions/{execution.id}"})
