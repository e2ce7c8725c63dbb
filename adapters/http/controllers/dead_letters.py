"""Dead letters: reading, redriving and purging them."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated
from uuid import UUID

from litestar import Controller, Response, delete, get, post
from litestar.di import NamedDependency
from litestar.params import JSONBody, PathParameter, QueryParameter, SkipValidation

from adapters.http.controllers.dead_letter_filters import WANTED, WantedDeadLetters
from adapters.http.wire.dead_letters import (
    DeadLetterFilterRequest,
    DeadLetterListResponse,
    DeadLetterResponse,
    PurgeResponse,
    RedrivenResponse,
    RedriveResponse,
    dead_letter_list_response,
    dead_letter_response,
    position_at,
    redrive_response,
    redriven_response,
)
from adapters.http.wire.pages import Limit, Offset
from application.dead_letters import DeadLetters, NothingWanted, require_anything
from application.engine.snapshot import SnapshotNotRunnable
from application.object_listing import InvalidCursor
from application.redrives import RedriveNotFound, Redrives, TooManyRedrives
from domain.dead_letter import (
    DeadLetterNotFound,
    DeadLetterPurged,
    InvalidDeadLetterFilter,
    MessageNotDead,
)
from domain.execution import RedriveNotAllowed, TooManyConcurrentExecutions

UseCase = NamedDependency[SkipValidation[DeadLetters]]
RedrivesUseCase = NamedDependency[SkipValidation[Redrives]]
MessageId = Annotated[UUID, PathParameter(description="The message's id.")]
RedriveId = Annotated[UUID, PathParameter(description="The redrive's id.")]
Cursor = Annotated[str | None, QueryParameter(description="Where an earlier page left off.")]
LIST_ERRORS = (InvalidDeadLetterFilter, InvalidCursor)


class DeadLettersController(Controller):
    path = "/api/v1"
    tags = ("dead letters",)

    @get(
        "/dead-letters",
        operation_id="list_dead_letters",
        summary="List dead letters",
        opt={"errors": LIST_ERRORS},
        dependencies=WANTED,
    )
    async def list_all(
        self,
        dead_letters: UseCase,
        wanted: WantedDeadLetters,
        execution_id: Annotated[UUID | None, QueryParameter(description="Of this execution.")] = None,
        limit: Limit = 100,
        offset: Offset = 0,
        cursor: Cursor = None,
    ) -> DeadLetterListResponse:
        """Of all executions, the earliest dead first, without the purged ones."""
        wanted = replace(wanted, execution_id=execution_id)
        page = await dead_letters.list(wanted, limit=limit, offset=offset, after=position_at(cursor))
        return dead_letter_list_response(page, limit=limit, offset=offset)

    @get(
        "/dead-letters/{message_id:uuid}",
        operation_id="get_dead_letter",
        summary="Read a dead letter",
        opt={"errors": (DeadLetterNotFound, MessageNotDead)},
    )
    async def read(self, dead_letters: UseCase, message_id: MessageId) -> DeadLetterResponse:
        """The message as it was, why it is dead, and how often it was tried."""
        return dead_letter_response(await dead_letters.get(message_id))

    @post(
        "/dead-letters/{message_id:uuid}/redrive",
        status_code=200,
        operation_id="redrive_dead_letter",
        summary="Redrive a dead letter",
        opt={
            "errors": (
                DeadLetterNotFound,
                MessageNotDead,
                DeadLetterPurged,
                RedriveNotAllowed,
                SnapshotNotRunnable,
                TooManyConcurrentExecutions,
            )
        },
    )
    async def redrive(self, dead_letters: UseCase, message_id: MessageId) -> RedrivenResponse:
        """Puts the message back in its queue, with all its retries. An execution that has ended runs again."""
        return redriven_response(message_id, await dead_letters.redrive(message_id))

    @post(
        "/dead-letters/redrive",
        status_code=202,
        operation_id="redrive_dead_letters",
        summary="Redrive many dead letters",
        opt={"errors": (NothingWanted, InvalidDeadLetterFilter, TooManyRedrives)},
    )
    async def redrive_all(
        self, redrives: RedrivesUseCase, data: JSONBody[DeadLetterFilterRequest]
    ) -> Response[RedriveResponse]:
        """Those that are dead by now, in batches; `Location` tells how far it has come. To ask again is harmless."""
        redrive = redrives.begin(data.wanted(), is_all_meant=data.all)
        location = f"{self.path}/dead-letters/redrives/{redrive.id}"
        return Response(redrive_response(redrive), headers={"location": location})

    @get(
        "/dead-letters/redrives/{redrive_id:uuid}",
        operation_id="get_redrive",
        summary="Read how far a redrive has come",
        opt={"errors": (RedriveNotFound,)},
    )
    async def read_redrive(self, redrives: RedrivesUseCase, redrive_id: RedriveId) -> RedriveResponse:
        """`completed`, or `failed` or `stopped` in the middle; then asking for the same again does the rest."""
        return redrive_response(redrives.get(redrive_id))

    @delete(
        "/dead-letters/{message_id:uuid}",
        operation_id="purge_dead_letter",
        summary="Purge a dead letter",
        opt={"errors": (DeadLetterNotFound, MessageNotDead)},
    )
    async def purge(self, dead_letters: UseCase, message_id: MessageId) -> None:
        """Erases payload, metadata and reason for good; the count stays. Again changes nothing."""
        await dead_letters.purge(message_id)

    @post(
        "/dead-letters/purge",
        status_code=200,
        operation_id="purge_dead_letters",
        summary="Purge many dead letters",
        opt={"errors": (NothingWanted, InvalidDeadLetterFilter)},
    )
    async def purge_all(
        self, dead_letters: UseCase, data: JSONBody[DeadLetterFilterRequest]
    ) -> PurgeResponse:
        """Those that are dead by now, for good."""
        wanted = require_anything(data.wanted(), is_all_meant=data.all)
        return PurgeResponse(purged=await dead_letters.purge_all(wanted))
