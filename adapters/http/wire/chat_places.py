"""Event ids and cursors of chat: where a reader goes on."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from adapters.http.errors import FieldError, RequestNotValid
from application.ports.chat_threads import ThreadPlace
from domain.chat.places import Place
from domain.chat.thread import Thread

_EVENT_ID = re.compile(r"(?P<run>[0-9a-f-]{36}):(?P<characters>\d{1,9}):(?P<citations>\d{1,6})(?P<end>:end)?")


def event_id(run_id: UUID, place: Place) -> str:
    """The id of an event after which a reader is at that place."""
    end = ":end" if place.is_end else ""
    return f"{run_id}:{place.characters}:{place.citations}{end}"


def resumed_from(last_event_id: str | None) -> tuple[UUID, Place] | None:
    """Which stream, and where in it, a `Last-Event-ID` means; None without one; raises RequestNotValid."""
    if not last_event_id:
        return None
    match = _EVENT_ID.fullmatch(last_event_id)
    try:
        if match is None:
            raise ValueError(last_event_id)
        place = Place(int(match["characters"]), int(match["citations"]), bool(match["end"]))
        return UUID(match["run"]), place
    except ValueError as error:
        raise _invalid("header", "Last-Event-ID", "it is no id that this stream has given") from error


def thread_cursor(page: Sequence[Thread]) -> str:
    """Where a list of threads goes on after a page."""
    return f"{page[-1].updated_at.isoformat()}~{page[-1].id}"


def thread_place(cursor: str | None) -> ThreadPlace | None:
    """Where a cursor says that a list of threads goes on; raises RequestNotValid."""
    if not cursor:
        return None
    at, _, thread_id = cursor.partition("~")
    try:
        moment = datetime.fromisoformat(at.replace(" ", "+"))
        if moment.tzinfo is None:
            raise ValueError(cursor)
        return ThreadPlace(updated_at=moment, id=UUID(thread_id))
    except ValueError as error:
        raise _invalid("query", "cursor", "it is no cursor of this list") from error


def id_of(cursor: str | None) -> UUID | None:
    """The id that a cursor is; raises RequestNotValid."""
    try:
        return UUID(cursor) if cursor else None
    except ValueError as error:
        raise _invalid("query", "cursor", "it is no cursor of this list") from error


def depth_of(cursor: str | None) -> int:
    """The depth that a cursor is, 0 without one; raises RequestNotValid."""
    if not cursor:
        return 0
    if not re.fullmatch(r"[0-9]{1,6}", cursor):
        raise _invalid("query", "cursor", "it is no cursor of this list")
    return int(cursor)


def _invalid(location: str, path: str, message: str) -> RequestNotValid:
    return RequestNotValid([FieldError(location=location, path=path, message=message)])
