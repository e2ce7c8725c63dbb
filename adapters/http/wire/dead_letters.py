"""Dead letters on the wire."""

from __future__ import annotations

import base64
import binascii
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from msgspec import Meta, Struct

from application.object_listing import InvalidCursor
from application.ports.dead_letters import DeadLetterPage, DeadLetterPosition, Redriven
from application.redrives import Redrive
from domain.dead_letter import MAX_WANTED_CHARACTERS, DeadLetter, DeadLetterFilter

Exact = Annotated[str, Meta(min_length=1, max_length=MAX_WANTED_CHARACTERS)]
Moment = Annotated[
    datetime,
    Meta(
        tz=True,
        description="As in RFC 3339, with `Z` or an offset.",
        examples=["2026-01-31T12:00:00Z"],
    ),
]


class DeadLetterFilterRequest(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which dead letters are meant: everything that is given must hold. `all: true` alone means every one there is."""

    all: bool = False
    execution_id: UUID | None = None
    route_id: Exact | None = None
    adapter_name: Exact | None = None
    stage_name: Exact | None = None
    error_code: Exact | None = None
    dead_after: Moment | None = None
    dead_before: Moment | None = None

    def wanted(self) -> DeadLetterFilter:
        """The filter; raises InvalidDeadLetterFilter."""
        return DeadLetterFilter(
            execution_id=self.execution_id,
            route_id=self.route_id,
            adapter_name=self.adapter_name,
            stage_name=self.stage_name,
            error_code=self.error_code,
            dead_after=self.dead_after,
            dead_before=self.dead_before,
        )


class DeadLetterResponse(Struct, frozen=True, kw_only=True):
    """A message that could not be processed, with the reason. A purged one has lost its payload and its reason."""

    message_id: UUID
    execution_id: UUID
    route_id: str
    adapter_name: str | None
    stage_name: str | None
    payload: dict[str, Any]
    metadata: dict[str, Any]
    error: dict[str, Any]
    attempts: int
    retries: int
    dead_at: datetime
    parent_correlation_id: UUID | None
    purged_at: datetime | None


class DeadLetterListResponse(Struct, frozen=True, kw_only=True):
    """A page of dead letters, the earliest dead first. `total` is exact up to 10,000."""

    dead_letters: list[DeadLetterResponse]
    total: int
    is_total_exact: bool
    limit: int
    offset: int
    has_more: bool
    next_cursor: str | None


class RedrivenResponse(Struct, frozen=True, kw_only=True):
    """A message that waits in the queue again, and its execution as it stands since."""

    message_id: UUID
    execution_id: UUID
    status: str
    generation: int
    reopened: bool


class RefusedRedrive(Struct, frozen=True, kw_only=True):
    """An execution whose dead letters were left as they are, or from some point on, and why."""

    execution_id: UUID
    error_code: str
    detail: str


class RedriveResponse(Struct, frozen=True, kw_only=True):
    """How far a redrive of many has come: `messages` wait again, in so many `executions`."""

    id: UUID
    status: str
    messages: int
    executions: int
    refused_executions: int
    refused: list[RefusedRedrive]
    error: dict[str, Any] | None
    started_at: datetime
    completed_at: datetime | None


class PurgeResponse(Struct, frozen=True, kw_only=True):
    """How many dead letters were erased."""

    purged: int


def dead_letter_response(letter: DeadLetter) -> DeadLetterResponse:
    """A dead letter as it travels."""
    message = letter.message
    return DeadLetterResponse(
        message_id=message.id,
        execution_id=message.execution_id,
        route_id=message.route_id,
        adapter_name=letter.adapter_name,
        stage_name=letter.stage_name,
        payload=dict(message.payload),
        metadata=dict(message.metadata),
        error=dict(letter.error),
        attempts=letter.attempts,
        retries=letter.retries,
        dead_at=letter.dead_at,
        parent_correlation_id=message.parent_correlation_id,
        purged_at=letter.purged_at,
    )


def dead_letter_list_response(page: DeadLetterPage, *, limit: int, offset: int) -> DeadLetterListResponse:
    """A page of dead letters as it travels."""
    return DeadLetterListResponse(
        dead_letters=[dead_letter_response(letter) for letter in page.letters],
        total=page.total,
        is_total_exact=page.is_total_exact,
        limit=limit,
        offset=offset,
        has_more=page.following is not None,
        next_cursor=None if page.following is None else cursor_of(page.following),
    )


def redriven_response(message_id: UUID, redriven: Redriven) -> RedrivenResponse:
    """What a redrive of one did, as it travels."""
    execution = redriven.execution
    return RedrivenResponse(
        message_id=message_id,
        execution_id=execution.id,
        status=execution.status.value,
        generation=execution.generation,
        reopened=redriven.reopened_from is not None,
    )


def redrive_response(redrive: Redrive) -> RedriveResponse:
    """A redrive of many as it travels."""
    return RedriveResponse(
        id=redrive.id,
        status=redrive.status.value,
        messages=redrive.messages,
        executions=redrive.executions,
        refused_executions=redrive.refused_executions,
        refused=[
            RefusedRedrive(
                execution_id=one.execution_id, error_code=one.refusal.code, detail=one.refusal.message
            )
            for one in redrive.refused
            if one.refusal is not None
        ],
        error=None if redrive.error is None else dict(redrive.error),
        started_at=redrive.started_at,
        completed_at=redrive.completed_at,
    )


def cursor_of(position: DeadLetterPosition) -> str:
    """A position as a cursor."""
    text = f"{position.dead_at.isoformat()} {position.message_id}"
    return base64.urlsafe_b64encode(text.encode()).decode()


def position_at(cursor: str | None) -> DeadLetterPosition | None:
    """The position that a cursor stands for; raises InvalidCursor for what no list has given."""
    if cursor is None:
        return None
    try:
        text = base64.b64decode(cursor, altchars=b"-_", validate=True).decode()
        moment, message_id = text.split(" ")
        dead_at = datetime.fromisoformat(moment)
        position = DeadLetterPosition(dead_at=dead_at, message_id=UUID(message_id))
    except (binascii.Error, ValueError) as error:
        raise InvalidCursor from error
    if dead_at.tzinfo is None:
        raise InvalidCursor
    return position
