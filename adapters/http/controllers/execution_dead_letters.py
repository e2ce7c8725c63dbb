"""The dead letters of one execution: reading, redriving and purging them."""

from __future__ import annotations

from datetime import datetime

from litestar import Controller, Response, delete, get, post

from adapters.http.controllers.dead_letters import (
    LIST_ERRORS,
    Cursor,
    Exact,
    Moment,
    RedrivesUseCase,
    UseCase,
)
from adapters.http.controllers.executions import IdOrTag
from adapters.http.controllers.executions import UseCase as ExecutionsUseCase
from adapters.http.controllers.lineage import in_utc
from adapters.http.wire.dead_letters import (
    DeadLetterListResponse,
    PurgeResponse,
    RedriveResponse,
    dead_letter_list_response,
    position_at,
    redrive_response,
)
from adapters.http.wire.pages import Limit, Offset
from application.redrives import TooManyRedrives
from domain.dead_letter import DeadLetterFilter, InvalidDeadLetterFilter
from domain.execution import Execution, ExecutionNotFound

REDRIVES = "/api/v1/dead-letters/redrives"


class ExecutionDeadLettersController(Controller):
    path = "/api/v1/executions/{execution_id:str}/dead-letters"
    tags = ("dead letters",)

    @get(
        operation_id="list_execution_dead_letters",
        summary="List an execution's dead letters",
        opt={"errors": (ExecutionNotFound, *LIST_ERRORS)},
    )
    async def list_all(
        self,
        dead_letters: UseCase,
        executions: ExecutionsUseCase,
        execution_id: IdOrTag,
        route_id: Exact = None,
        adapter_name: Exact = None,
        stage_name: Exact = None,
        error_code: Exact = None,
        dead_after: Moment = None,
        dead_before: Moment = None,
        limit: Limit = 100,
        offset: Offset = 0,
        cursor: Cursor = None,
    ) -> DeadLetterListResponse:
        """The messages that could not be processed, with the reasons, the earliest dead first."""
        wanted = _wanted(
            await executions.get(execution_id),
            (route_id, adapter_name, stage_name, error_code),
            (dead_after, dead_before),
        )
        page = await dead_letters.list(wanted, limit=limit, offset=offset, after=position_at(cursor))
        return dead_letter_list_response(page, limit=limit, offset=offset)

    @post(
        "/redrive",
        status_code=202,
        operation_id="redrive_execution_dead_letters",
        summary="Redrive an execution's dead letters",
        opt={"errors": (ExecutionNotFound, InvalidDeadLetterFilter, TooManyRedrives)},
    )
    async def redrive(
        self,
        redrives: RedrivesUseCase,
        executions: ExecutionsUseCase,
        execution_id: IdOrTag,
        route_id: Exact = None,
        adapter_name: Exact = None,
        stage_name: Exact = None,
        error_code: Exact = None,
        dead_after: Moment = None,
        dead_before: Moment = None,
    ) -> Response[RedriveResponse]:
        """All of them that are dead by now, or those that the query means; `Location` tells how far it has come.

        An execution that has ended runs again. To ask again is harmless.
        """
        wanted = _wanted(
            await executions.get(execution_id),
            (route_id, adapter_name, stage_name, error_code),
            (dead_after, dead_before),
        )
        redrive = redrives.begin(wanted)
        return Response(redrive_response(redrive), headers={"location": f"{REDRIVES}/{redrive.id}"})

    @delete(
        status_code=200,
        operation_id="purge_execution_dead_letters",
        summary="Purge an execution's dead letters",
        opt={"errors": (ExecutionNotFound, InvalidDeadLetterFilter)},
    )
    async def purge(
        self,
        dead_letters: UseCase,
        executions: ExecutionsUseCase,
        execution_id: IdOrTag,
        route_id: Exact = None,
        adapter_name: Exact = None,
        stage_name: Exact = None,
        error_code: Exact = None,
        dead_after: Moment = None,
        dead_before: Moment = None,
    ) -> PurgeResponse:
        """All of them that are dead by now, or those that the query means, for good; the counts stay."""
        wanted = _wanted(
            await executions.get(execution_id),
            (route_id, adapter_name, stage_name, error_code),
            (dead_after, dead_before),
        )
        return PurgeResponse(purged=await dead_letters.purge_all(wanted))


def _wanted(
    execution: Execution,
    exact: tuple[str | None, str | None, str | None, str | None],
    dead: tuple[datetime | None, datetime | None],
) -> DeadLetterFilter:
    """Those of the execution that the query means; raises InvalidDeadLetterFilter."""
    route_id, adapter_name, stage_name, error_code = exact
    after, before = dead
    return DeadLetterFilter(
        execution_id=execution.id,
        route_id=route_id,
        adapter_name=adapter_name,
        stage_name=stage_name,
        error_code=error_code,
        dead_after=in_utc(after),
        dead_before=in_utc(before),
    )
