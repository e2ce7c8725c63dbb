"""Streams of answers: their events with ids, and from which of them a reader goes on."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator
from typing import Annotated, Any
from uuid import UUID

from litestar.params import HeaderParameter

from adapters.http.errors import FieldError, RequestNotValid
from adapters.http.settings import HttpSettings
from adapters.http.streaming import EVENT_STREAM, EventStream, ServerSentEvent, closing
from adapters.http.wire.chat_answers import chat_event
from adapters.http.wire.chat_places import event_id, resumed_from
from domain.chat.answer import ChatEvent
from domain.chat.places import Place

LastEventId = Annotated[
    str | None,
    HeaderParameter(name="Last-Event-ID", description="The id of the last event that was received."),
]
_ID = "01890a5e-0c3b-7d11-9d3c-6c1c3d1b0a55"
STREAM: dict[str, Any] = {
    "description": "Server-sent events: `sources`, then `text` and `citation` as they come, then `done`; or `error`.",
    "content": {
        EVENT_STREAM: {
            "example": f'id: {_ID}:0:0\nevent: sources\ndata: {{"sources":[],"mode":"extractive"}}\n\n'
            f'id: {_ID}:26:0\nevent: text\ndata: {{"content":"Every hop is recorded [1]."}}\n\n'
            f'id: {_ID}:26:1:end\nevent: done\ndata: {{"completed":true}}\n\n',
        }
    },
}


async def begun(
    run_id: UUID,
    events: AsyncGenerator[tuple[Place, ChatEvent]],
    settings: HttpSettings,
    *before: ServerSentEvent,
) -> EventStream:
    """A stream whose sources are found, after whatever is told first; raises what went wrong before."""
    first = await anext(events)
    return EventStream(
        told(run_id, events, *before, first=first), heartbeat_seconds=settings.heartbeat_seconds
    )


async def told(
    run_id: UUID,
    events: AsyncGenerator[tuple[Place, ChatEvent]],
    *before: ServerSentEvent,
    first: tuple[Place, ChatEvent] | None = None,
) -> AsyncIterator[ServerSentEvent]:
    """The events of an answer, each with the id by which it can be taken up again."""
    async with closing(events) as following:
        for one in before:
            yield one
        if first is not None:
            yield chat_event(first[1], event_id(run_id, first[0]))
        async for place, event in following:
            yield chat_event(event, event_id(run_id, place))


def place_in(stream_id: UUID, last_event_id: str | None) -> Place | None:
    """The place in this very stream that a `Last-Event-ID` names; raises RequestNotValid."""
    resumed = resumed_from(last_event_id)
    if resumed is not None and resumed[0] != stream_id:
        raise RequestNotValid(
            [FieldError(location="header", path="Last-Event-ID", message="it is of another stream")]
        )
    return resumed[1] if resumed else None
