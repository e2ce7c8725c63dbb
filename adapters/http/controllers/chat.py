"""Answers with citations, whole or as a stream."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator
from typing import Any

from litestar import Controller, get, post
from litestar.di import NamedDependency
from litestar.params import JSONBody, SkipValidation

from adapters.http.settings import HttpSettings
from adapters.http.streaming import EVENT_STREAM, EventStream, ServerSentEvent, closing
from adapters.http.wire.chat_answers import (
    ChatCapabilitiesResponse,
    ChatCompletionResponse,
    capabilities_response,
    chat_event,
    completion_response,
)
from adapters.http.wire.chat_requests import ChatCompletionRequest, chat_request
from adapters.http.wire.search import SourcesResponse, sources_response
from application.chat import Chat
from application.embedding_models import EmbeddingSlotNotFound
from domain.chat.answer import ChatEvent
from domain.chat.errors import (
    InvalidChatRequest,
    LanguageModelRefused,
    LanguageModelUnavailable,
    NoLanguageModel,
)
from domain.document import EmptyDocument, UnreadableDocument, UnsupportedDocument
from domain.storage import InvalidKey, ObjectNotFound

UseCase = NamedDependency[SkipValidation[Chat]]
_ERRORS = (
    InvalidChatRequest,
    EmbeddingSlotNotFound,
    InvalidKey,
    ObjectNotFound,
    UnreadableDocument,
    UnsupportedDocument,
    EmptyDocument,
    LanguageModelRefused,
    LanguageModelUnavailable,
    NoLanguageModel,
)
_EXAMPLE = {"query": "How is an answer traced to its sources?"}
_STREAM: dict[str, Any] = {
    "description": "Server-sent events: `sources`, then `text` and `citation` as they come, then `done`; or `error`.",
    "content": {
        EVENT_STREAM: {
            "example": 'id: 1\nevent: sources\ndata: {"sources":[],"mode":"extractive"}\n\n'
            'id: 2\nevent: text\ndata: {"content":"Every hop is recorded [1]."}\n\n'
            'id: 3\nevent: done\ndata: {"completed":true}\n\n',
        }
    },
}


class ChatController(Controller):
    path = "/api/v1/chat"
    tags = ("chat",)

    @post(
        "/complete",
        status_code=200,
        operation_id="chat_complete",
        summary="Answer a question",
        opt={"errors": _ERRORS, "example": _EXAMPLE},
    )
    async def complete(self, chat: UseCase, data: JSONBody[ChatCompletionRequest]) -> ChatCompletionResponse:
        """From the indexed segments, from stored objects, or both; every statement carries its source's number.

        Without a language model the answer is made of the sources' own sentences, and says so.
        """
        return completion_response(await chat.answer(chat_request(data)))

    @post(
        "/stream",
        status_code=200,
        operation_id="chat_stream",
        summary="Answer a question as a stream",
        opt={"errors": _ERRORS, "example": _EXAMPLE, "answer": _STREAM},
    )
    async def stream(
        self,
        chat: UseCase,
        settings: NamedDependency[SkipValidation[HttpSettings]],
        data: JSONBody[ChatCompletionRequest],
    ) -> EventStream:
        """What goes wrong before the sources are found is a problem document; afterwards it is the event `error`."""
        events = chat.stream(chat_request(data))
        first = await anext(events)
        return EventStream(told(first, events), heartbeat_seconds=settings.heartbeat_seconds)

    @get("/sources", operation_id="list_chat_sources", summary="List what can be asked about")
    async def sources(self, chat: UseCase) -> SourcesResponse:
        """Every origin with the number of its documents; its name restricts a data source to it."""
        return sources_response(await chat.search.sources())

    @get("/capabilities", operation_id="get_chat_capabilities", summary="Tell what chat can do here")
    async def capabilities(self, chat: UseCase) -> ChatCapabilitiesResponse:
        """Who writes the answers, what they may rest on, and the bounds of a request."""
        return capabilities_response(chat)


async def told(first: ChatEvent, following: AsyncGenerator[ChatEvent]) -> AsyncIterator[ServerSentEvent]:
    """The events of an answer, numbered from 1."""
    async with closing(following) as events:
        yield chat_event(first, 1)
        number = 1
        async for event in events:
            number += 1
            yield chat_event(event, number)
