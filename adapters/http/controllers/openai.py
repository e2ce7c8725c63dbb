"""The operations that OpenAI's client libraries and chat programs know, answered from the documents."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import msgspec
from litestar import Controller, get, post
from litestar.di import NamedDependency
from litestar.params import JSONBody, SkipValidation

from adapters.http.access.named_objects import permitted
from adapters.http.access.principal import RequestPrincipal
from adapters.http.bodies import JsonRequest
from adapters.http.controllers.chat import ERRORS
from adapters.http.examples import example_of
from adapters.http.openai_errors import failure_chunk
from adapters.http.settings import HttpSettings
from adapters.http.streaming import EVENT_STREAM, AsgiAnswer, EventStream, closing, json_answer
from adapters.http.url_names import name_after
from adapters.http.wire.chat_answers import TokenUsageResponse, usage_response
from adapters.http.wire.openai_answers import (
    Delta,
    Labels,
    OpenAiChatResponse,
    OpenAiEmbeddingResponse,
    OpenAiModel,
    OpenAiModelList,
    embedding_response,
    last_chunks,
    openai_response,
)
from adapters.http.wire.openai_requests import (
    MODEL,
    ContentNotSupported,
    FacadeSettings,
    ModelNotFound,
    OpenAiChatRequest,
    OpenAiEmbeddingRequest,
    OptionNotSupported,
    openai_chat_request,
    texts_to_embed,
)
from application.chat import Chat
from application.embedding_models import EmbeddingSlotNotFound
from application.embeddings import Embeddings, InvalidTexts
from domain.chat.answer import AnswerDone, ChatAnswer, ChatEvent, TextWritten
from domain.retrieval.errors import EmbeddingInputRefused

UseCase = NamedDependency[SkipValidation[Chat]]
_MODELS = b"/v1/models/"
_CHUNK = '{"id":"chatcmpl-1","object":"chat.completion.chunk","created":1,"model":"factflow","choices":[{"index":0,"delta":{"content":"Every"},"finish_reason":null}]}'
_COMPLETING: dict[str, Any] = {
    "errors": (*ERRORS, ContentNotSupported, OptionNotSupported, ModelNotFound),
    "example": {"model": MODEL, "messages": [{"role": "user", "content": "How is an answer traced?"}]},
    "answer": {
        "description": "The answer; with `stream` as chunks, the last of them `[DONE]`.",
        "content": {
            "application/json": {
                "schema": {"$ref": "#/components/schemas/OpenAiChatResponse"},
                "example": example_of(OpenAiChatResponse),
            },
            EVENT_STREAM: {"example": f"data: {_CHUNK}\n\ndata: [DONE]\n\n"},
        },
    },
    "shapes": (OpenAiChatResponse,),
}


@dataclass(frozen=True, slots=True)
class DataEvent:
    """An event without a name or an id, as OpenAI's streams have them."""

    data: bytes

    def encode(self) -> bytes:
        """The event as it travels."""
        return b"data: " + self.data + b"\n\n"


class OpenAiController(Controller):
    path = "/v1"
    tags = ("chat",)

    @get("/models", operation_id="openai_list_models", summary="List models, as OpenAI does")
    async def models(self, chat: UseCase) -> OpenAiModelList:
        """`factflow`, which answers from the documents, and the embedding slots."""
        return OpenAiModelList(data=[OpenAiModel(id=name) for name in (MODEL, *chat.search.model_names)])

    @get(
        "/models/{model:path}",
        operation_id="openai_get_model",
        summary="Read a model, as OpenAI does",
        opt={"errors": (ModelNotFound,), "key": "The model's name; its slashes need no escaping."},
    )
    async def model(self, chat: UseCase, request: JsonRequest) -> OpenAiModel:
        """Tells that it is there."""
        model = name_after(_MODELS, request.scope)
        if model not in {MODEL, *chat.search.model_names}:
            raise ModelNotFound(f"there is no model {model[:200]!r}")
        return OpenAiModel(id=model)

    @post(
        "/chat/completions",
        status_code=200,
        operation_id="openai_chat_completions",
        summary="Answer a conversation, as OpenAI does",
        opt=_COMPLETING,
    )
    async def complete(
        self,
        chat: UseCase,
        principal: RequestPrincipal,
        settings: NamedDependency[SkipValidation[HttpSettings]],
        data: JSONBody[OpenAiChatRequest],
    ) -> AsgiAnswer:
        """The last message is answered from the documents; sources are annotations, and lines below the text.

        `factflow` in the body sets what the answer may rest on, and with `sources_in_text` whether those lines come.
        Naming stored objects there needs the scope `storage:read` besides.
        """
        request = permitted(openai_chat_request(data), principal)
        facade = data.factflow or FacadeSettings()
        labels = Labels(id=f"chatcmpl-{uuid4().hex}", created=int(time.time()), model=data.model)
        if data.stream:
            events = chat.stream(request)
            # What goes wrong before the sources are found is a problem; they themselves are told at the end.
            await anext(events)
            chunks = _chunks(chat, data, labels, events)
            return EventStream(
                chunks,
                heartbeat_seconds=settings.heartbeat_seconds,
                tells_retry=False,
                failed=lambda error: DataEvent(failure_chunk(error)).encode(),
            )
        answer = await chat.answer(request)
        body = openai_response(answer, labels, _usage(chat, answer), sources_in_text=facade.sources_in_text)
        return json_answer(body)

    @post(
        "/embeddings",
        status_code=200,
        operation_id="openai_embeddings",
        summary="Embed texts, as OpenAI does",
        opt={
            "errors": (
                EmbeddingSlotNotFound,
                InvalidTexts,
                EmbeddingInputRefused,
                ContentNotSupported,
                OptionNotSupported,
            ),
            "example": {"model": MODEL, "input": ["A hive holds forty thousand bees."]},
        },
    )
    async def embed(
        self,
        embeddings: NamedDependency[SkipValidation[Embeddings]],
        data: JSONBody[OpenAiEmbeddingRequest],
    ) -> OpenAiEmbeddingResponse:
        """By the model of the slot that `model` names; `factflow` stands for the server's own."""
        texts = texts_to_embed(data)
        name = None if data.model == MODEL else data.model
        dimension = embeddings.models.named(name).dimension
        if data.dimensions not in {None, dimension}:
            raise OptionNotSupported(f"that model's vectors have {dimension} dimensions, and no other number")
        embedded = await embeddings.embed(texts, model_name=name)
        return embedding_response(embedded, is_base64=data.encoding_format == "base64")


async def _chunks(
    chat: Chat, body: OpenAiChatRequest, labels: Labels, following: AsyncIterator[ChatEvent]
) -> AsyncIterator[DataEvent]:
    """A streamed answer; what goes wrong in it is told as OpenAI does, in the stream."""
    facade = body.factflow or FacadeSettings()
    async with closing(following) as events:
        yield _told(labels.chunk(Delta(role="assistant", content="")))
        try:
            async for event in events:
                if isinstance(event, TextWritten):
                    yield _told(labels.chunk(Delta(content=event.content)))
                elif isinstance(event, AnswerDone):
                    for chunk in last_chunks(event.answer, labels, sources_in_text=facade.sources_in_text):
                        yield _told(chunk)
                    if body.stream_options and body.stream_options.include_usage:
                        yield _told(labels.usage(_usage(chat, event.answer)))
        except Exception as error:  # noqa: BLE001 - the head is sent: whatever it is must be told in the stream
            yield DataEvent(failure_chunk(error))
            return
    yield DataEvent(b"[DONE]")


def _told(chunk: msgspec.Struct) -> DataEvent:
    return DataEvent(msgspec.json.encode(chunk))


def _usage(chat: Chat, answer: ChatAnswer) -> TokenUsageResponse:
    """What the language model's server has counted, or what we count where it does not tell."""
    if (told := usage_response(answer.usage)) is not None:
        return told
    read = answer.observed.get("prompt_tokens_estimated", 0)
    read = read if isinstance(read, int) else 0
    written = chat.prompting.tokens_of(answer.text)
    return TokenUsageResponse(prompt_tokens=read, completion_tokens=written, total_tokens=read + written)
