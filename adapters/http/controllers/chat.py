"""Answers with citations, whole or as a stream."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from litestar import Controller, get, post
from litestar.di import NamedDependency
from litestar.params import JSONBody, PathParameter, SkipValidation

from adapters.http.access.named_objects import permitted
from adapters.http.access.principal import RequestPrincipal
from adapters.http.chat_streams import STREAM, LastEventId, begun, place_in, told
from adapters.http.settings import HttpSettings
from adapters.http.streaming import EventStream
from adapters.http.wire.chat_answers import (
    ChatCapabilitiesResponse,
    ChatCompletionResponse,
    capabilities_response,
    completion_response,
)
from adapters.http.wire.chat_places import resumed_from
from adapters.http.wire.chat_requests import ChatCompletionRequest, chat_request
from adapters.http.wire.search import SourcesResponse, sources_response
from application.chat import Chat
from application.chat_runs import AnswerRuns
from application.embedding_models import EmbeddingSlotNotFound
from domain.chat.errors import (
    AnswerStreamNotFound,
    InvalidChatRequest,
    LanguageModelRefused,
    LanguageModelUnavailable,
    NoLanguageModel,
)
from domain.chat.prompt_template import PromptTemplateUnfit
from domain.document import EmptyDocument, UnreadableDocument, UnsupportedDocument
from domain.embedding_slot import EmbeddingModelMixed
from domain.retrieval.errors import EmbeddingInputRefused
from domain.storage import InvalidKey, ObjectNotFound
from domain.templates.template import TemplateNotFound

UseCase = NamedDependency[SkipValidation[Chat]]
Runs = NamedDependency[SkipValidation[AnswerRuns]]
ERRORS = (
    InvalidChatRequest,
    EmbeddingSlotNotFound,
    EmbeddingModelMixed,
    EmbeddingInputRefused,
    InvalidKey,
    ObjectNotFound,
    UnreadableDocument,
    UnsupportedDocument,
    EmptyDocument,
    LanguageModelRefused,
    LanguageModelUnavailable,
    NoLanguageModel,
    TemplateNotFound,
    PromptTemplateUnfit,
)
_EXAMPLE = {"query": "How is an answer traced to its sources?"}


class ChatController(Controller):
    path = "/api/v1/chat"
    tags = ("chat",)

    @post(
        "/complete",
        status_code=200,
        operation_id="chat_complete",
        summary="Answer a question",
        opt={"errors": ERRORS, "example": _EXAMPLE},
    )
    async def complete(
        self, chat: UseCase, principal: RequestPrincipal, data: JSONBody[ChatCompletionRequest]
    ) -> ChatCompletionResponse:
        """From the indexed segments, from stored objects, or both; every statement carries its source's number.

        Without a language model the answer is made of the sources' own sentences, and says so.
        Naming stored objects needs the scope `storage:read` besides.
        """
        return completion_response(await chat.answer(permitted(chat_request(data), principal)))

    @post(
        "/stream",
        status_code=200,
        operation_id="chat_stream",
        summary="Answer a question as a stream",
        opt={"errors": (*ERRORS, AnswerStreamNotFound), "example": _EXAMPLE, "answer": STREAM},
    )
    async def stream(
        self,
        chat_runs: Runs,
        principal: RequestPrincipal,
        settings: NamedDependency[SkipValidation[HttpSettings]],
        data: JSONBody[ChatCompletionRequest],
        last_event_id: LastEventId = None,
    ) -> EventStream:
        """What goes wrong before the sources are found is a problem document; afterwards it is the event `error`.

        The same with `Last-Event-ID` takes up a stream that broke off, for a minute after its end at most; while
        nobody reads it, it goes on for fifteen seconds. Naming stored objects needs the scope `storage:read` besides.
        """
        resumed = resumed_from(last_event_id)
        if resumed is not None:
            run_id, place = resumed
            events = chat_runs.get(run_id, owner=principal.owner).read(place)
            return EventStream(told(run_id, events), heartbeat_seconds=settings.heartbeat_seconds)
        run = chat_runs.start(permitted(chat_request(data), principal), owner=principal.owner)
        return await begun(run.id, run.read(), settings)

    @get(
        "/streams/{stream_id:uuid}",
        operation_id="resume_chat_stream",
        summary="Take up the stream of an answer",
        opt={"errors": (AnswerStreamNotFound,), "answer": STREAM},
    )
    async def resume(
        self,
        chat_runs: Runs,
        principal: RequestPrincipal,
        settings: NamedDependency[SkipValidation[HttpSettings]],
        stream_id: Annotated[
            UUID, PathParameter(description="What stands before the first colon of an event's id.")
        ],
        last_event_id: LastEventId = None,
    ) -> EventStream:
        """From the event after `Last-Event-ID` on, or from the beginning."""
        place = place_in(stream_id, last_event_id)
        events = chat_runs.get(stream_id, owner=principal.owner).read(place)
        return EventStream(told(stream_id, events), heartbeat_seconds=settings.heartbeat_seconds)

    @get("/sources", operation_id="list_chat_sources", summary="List what can be asked about")
    async def sources(self, chat: UseCase) -> SourcesResponse:
        """Every origin with the number of its documents; its name restricts a data source to it."""
        return sources_response(await chat.search.sources())

    @get("/capabilities", operation_id="get_chat_capabilities", summary="Tell what chat can do here")
    async def capabilities(self, chat: UseCase) -> ChatCapabilitiesResponse:
        """Who writes the answers, what they may rest on, and the bounds of a request."""
        return capabilities_response(chat)
