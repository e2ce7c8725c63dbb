"""The dead letters of one execution: reading, redriving and purging them."""

from __future__ import annotations

from dataclasses import replace

from litestar import Controller, Response, delete, get, post

from adapters.http.controllers.dead_letter_filters import WANTED, WantedDeadLetters
from adapters.http.controllers.dead_letters import (
    LIST_ERRORS,
    Cursor,
    RedrivesUseCase,
    UseCase,
)
from adapters.http.controllers.executions import IdOrTag
from adapters.http.controllers.executions import UseCase as ExecutionsUseCase
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
from domain.dead_letter import InvalidDeadLetterFilter
from domain.execution import ExecutionNotFound

REDRIVES = "/api/v1/dead-letters/redrives"


class ExecutionDeadLettersController(Controller):
    path = "/api/v1/executions/{execution_id:str}/dead-letters"
    tags = ("dead letters",)
    dependencies = WANTED

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
        wanted: WantedDeadLetters,
        limit: Limit = 100,
        offset: Offset = 0,
        cursor: Cursor = None,
    ) -> DeadLetterListResponse:
        """The messages that could not be processed, with the reasons, the earliest dead first."""
        wanted = replace(wanted, execution_id=(await executions.get(execution_id)).id)
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
        wanted: WantedDeadLetters,
    ) -> Response[RedriveResponse]:
        """All of them that are dead by now, or those that the query means; `Location` tells how far it has come.

        An execution that has ended runs again. To ask again is harmless.
        """
        wanted = replace(wanted, execution_id=(await executions.get(execution_id)).id)
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
        wanted: WantedDeadLetters,
    ) -> PurgeResponse:
        """All of them that are dead by now, or those that the query means, for good; the counts stay."""
        wanted = replace(wanted, execution_id=(await executions.get(execution_id)).id)
        return PurgeResponse(purged=await dead_letters.purge_all(wanted))
