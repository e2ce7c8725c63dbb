"""Executions: starting, reading and ending runs."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from litestar import Controller, Response, get, patch, post
from litestar.di import NamedDependency
from litestar.params import JSONBody, PathParameter, QueryParameter, SkipValidation

from adapters.http.controllers.configs import RUN_ERRORS
from adapters.http.errors import UnknownConfig
from adapters.http.wire.executions import (
    ExecutionDetailResponse,
    ExecutionListResponse,
    ExecutionStartRequest,
    ExecutionStatusUpdateRequest,
    ExecutionStatusUpdateResponse,
    StartedExecutionResponse,
    execution_detail_response,
    execution_list_response,
    started_response,
    status_update_response,
)
from adapters.http.wire.pages import ExecutionCursor, Limit, Offset
from application.executions import Executions
from domain.execution import ExecutionNotFound, ExecutionStatus, StatusChangeNotAllowed
from domain.pipeline_config import ConfigNotFound

UseCase = NamedDependency[SkipValidation[Executions]]
IdOrTag = Annotated[str, PathParameter(description="The execution's id or its tag.")]


class ExecutionsController(Controller):
    path = "/api/v1/executions"
    tags = ("executions",)

    @post(
        operation_id="start_execution",
        summary="Start an execution",
        opt={"errors": (UnknownConfig, *RUN_ERRORS), "idempotency_field": True},
    )
    async def start(
        self, executions: UseCase, data: JSONBody[ExecutionStartRequest]
    ) -> Response[StartedExecutionResponse]:
        """Starts a config by its id; `POST /api/v1/configs/{config_id}/run` does the same and can do more."""
        metadata = data.metadata if data.metadata is not None else data.trigger_context
        try:
            execution = await executions.start(data.config_id, tag=data.tag, metadata=metadata)
        except ConfigNotFound as error:
            raise UnknownConfig(error.message) from error
        headers = {"location": f"{self.path}/{execution.id}"}
        return Response(started_response(execution), headers=headers)

    @get(operation_id="list_executions", summary="List executions")
    async def list_all(
        self,
        executions: UseCase,
        status: Annotated[
            ExecutionStatus | None, QueryParameter(description="Only those of this status.")
        ] = None,
        config_id: Annotated[UUID | None, QueryParameter(description="Only runs of this config.")] = None,
        limit: Limit = 100,
        offset: Offset = 0,
        cursor: ExecutionCursor = None,
    ) -> ExecutionListResponse:
        """The latest first. With `cursor` a page begins behind the one before, whatever has started meanwhile."""
        page, total = await executions.summaries(
            status=status, config_id=config_id, limit=limit + 1, offset=offset, before=cursor
        )
        return execution_list_response(page, total=total, limit=limit, offset=offset)

    @get(
        "/{execution_id:str}",
        operation_id="get_execution",
        summary="Read an execution",
        opt={"errors": (ExecutionNotFound,)},
    )
    async def read(self, executions: UseCase, execution_id: IdOrTag) -> ExecutionDetailResponse:
        """With the config frozen as it was at the start."""
        return execution_detail_response(await executions.get(execution_id))

    @patch(
        "/{execution_id:str}",
        operation_id="update_execution_status",
        summary="Change an execution's status",
        opt={"errors": (ExecutionNotFound, StatusChangeNotAllowed)},
    )
    async def change_status(
        self, executions: UseCase, execution_id: IdOrTag, data: JSONBody[ExecutionStatusUpdateRequest]
    ) -> ExecutionStatusUpdateResponse:
        """`cancelled` stops a run; `failed` and `completed` tidy up one that is stuck. Only runs not yet ended."""
        before, execution = await executions.change_status(
            execution_id, ExecutionStatus(data.status), error_info=data.error_info
        )
        return status_update_response(before, execution)

    @post(
        "/{execution_id:str}/cancel",
        status_code=200,
        operation_id="cancel_execution",
        summary="Cancel an execution",
        opt={"errors": (ExecutionNotFound, StatusChangeNotAllowed)},
    )
    async def cancel(self, executions: UseCase, execution_id: IdOrTag) -> ExecutionStatusUpdateResponse:
        """The same as setting the status to `cancelled`: it is so at once, and what is left settles behind it."""
        before, execution = await executions.change_status(execution_id, ExecutionStatus.CANCELLED)
        return status_update_response(before, execution)
