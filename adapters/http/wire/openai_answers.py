"""What OpenAI's clients are answered."""

from __future__ import annotations

import base64
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from msgspec import UNSET, Struct, UnsetType

from adapters.http.wire.chat_answers import (
    ChatCompletionResponse,
    TokenUsageResponse,
    completion_response,
)
from application.embeddings import EmbeddedTexts
from domain.chat.answer import ChatAnswer, Citation, Source


class UrlCitation(Struct, frozen=True, kw_only=True):
    """A source, and the statement of the text that it supports: `content[start_index:end_index]`."""

    start_index: int
    end_index: int
    title: str
    url: str


class OpenAiAnnotation(Struct, frozen=True, kw_only=True):
    """A citation in the shape that OpenAI gives those of the web."""

    url_citation: UrlCitation
    type: Literal["url_citation"] = "url_citation"


class OpenAiAnswerMessage(Struct, frozen=True, kw_only=True):
    """The answer."""

    content: str
    annotations: list[OpenAiAnnotation]
    role: Literal["assistant"] = "assistant"
    refusal: None = None


class OpenAiChoice(Struct, frozen=True, kw_only=True):
    """The one answer."""

    message: OpenAiAnswerMessage
    index: int = 0
    finish_reason: Literal["stop", "length", "content_filter"] = "stop"


class OpenAiChatResponse(Struct, frozen=True, kw_only=True):
    """A whole answer; `factflow` has all that `POST /api/v1/chat/complete` tells of it."""

    id: str
    created: int
    model: str
    choices: list[OpenAiChoice]
    usage: TokenUsageResponse
    factflow: ChatCompletionResponse
    object: Literal["chat.completion"] = "chat.completion"


class OpenAiModel(Struct, frozen=True, kw_only=True):
    """A model: `factflow`, which answers, or an embedding slot."""

    id: str
    created: int = 0
    owned_by: str = "factflow"
    object: Literal["model"] = "model"


class OpenAiModelList(Struct, frozen=True, kw_only=True):
    """The models there are."""

    data: list[OpenAiModel]
    object: Literal["list"] = "list"


class OpenAiEmbedding(Struct, frozen=True, kw_only=True):
    """A vector: numbers, or base64 of 32-bit floats in little-endian order."""

    embedding: list[float] | str
    index: int
    object: Literal["embedding"] = "embedding"


class OpenAiEmbeddingUsage(Struct, frozen=True, kw_only=True):
    """Tokens of the texts."""

    prompt_tokens: int
    total_tokens: int


class OpenAiEmbeddingResponse(Struct, frozen=True, kw_only=True):
    """A vector of unit length for each text, in order."""

    data: list[OpenAiEmbedding]
    model: str
    usage: OpenAiEmbeddingUsage
    object: Literal["list"] = "list"


class Delta(Struct, frozen=True, kw_only=True):
    """What a chunk adds to the message."""

    role: str | UnsetType = UNSET
    content: str | UnsetType = UNSET
    annotations: list[OpenAiAnnotation] | UnsetType = UNSET


class ChunkChoice(Struct, frozen=True, kw_only=True):
    """The one answer, growing."""

    delta: Delta
    index: int = 0
    finish_reason: str | None = None


class OpenAiChunk(Struct, frozen=True, kw_only=True):
    """A piece of a streamed answer; the last with a choice has `factflow`, as of a whole answer."""

    id: str
    created: int
    model: str
    choices: list[ChunkChoice]
    usage: TokenUsageResponse | UnsetType | None = UNSET
    factflow: ChatCompletionResponse | UnsetType = UNSET
    object: str = "chat.completion.chunk"


@dataclass(frozen=True, slots=True, kw_only=True)
class Labels:
    """What every part of one answer is labelled with."""

    id: str
    created: int
    model: str

    def chunk(self, delta: Delta, **more: Any) -> OpenAiChunk:
        """A chunk that adds something."""
        finish_reason = more.pop("finish_reason", None)
        choice = ChunkChoice(delta=delta, finish_reason=finish_reason)
        return OpenAiChunk(id=self.id, created=self.created, model=self.model, choices=[choice], **more)

    def usage(self, usage: TokenUsageResponse) -> OpenAiChunk:
        """The chunk that tells the cost."""
        return OpenAiChunk(id=self.id, created=self.created, model=self.model, choices=[], usage=usage)


def openai_response(
    answer: ChatAnswer, labels: Labels, usage: TokenUsageResponse, *, sources_in_text: bool
) -> OpenAiChatResponse:
    """A whole answer as it travels."""
    text = answer.text + (sources_text(answer) if sources_in_text else "")
    message = OpenAiAnswerMessage(content=text, annotations=annotations_of(answer))
    return OpenAiChatResponse(
        id=labels.id,
        created=labels.created,
        model=labels.model,
        choices=[OpenAiChoice(message=message, finish_reason=answer.finish_reason.value)],
        usage=usage,
        factflow=completion_response(answer),
    )


def last_chunks(answer: ChatAnswer, labels: Labels, *, sources_in_text: bool) -> Iterator[OpenAiChunk]:
    """What follows the text of a streamed answer: its sources, twice, and its end."""
    if sources_in_text and (listed := sources_text(answer)):
        yield labels.chunk(Delta(content=listed))
    if answer.citations:
        yield labels.chunk(Delta(annotations=annotations_of(answer)))
    yield labels.chunk(
        Delta(), finish_reason=answer.finish_reason.value, factflow=completion_response(answer)
    )


def annotations_of(answer: ChatAnswer) -> list[OpenAiAnnotation]:
    """The citations of an answer, in order."""
    return [
        OpenAiAnnotation(
            url_citation=UrlCitation(
                start_index=citation.answer_start,
                end_index=citation.answer_end,
                title=_title(citation.source),
                url=_address(citation.source),
            )
        )
        for citation in answer.citations
    ]


def sources_text(answer: ChatAnswer) -> str:
    """The cited sources as lines to stand below the answer; nothing when none is cited."""
    cited: dict[int, Citation] = {}
    for citation in answer.citations:
        cited.setdefault(citation.number, citation)
    lines = [_line(cited[number].source) for number in sorted(cited)]
    return "\n\nSources:\n" + "\n".join(lines) if lines else ""


def embedding_response(embedded: EmbeddedTexts, *, is_base64: bool) -> OpenAiEmbeddingResponse:
    """Vectors as they travel."""
    data = [
        OpenAiEmbedding(embedding=_base64(vector) if is_base64 else list(vector), index=index)
        for index, vector in enumerate(embedded.vectors)
    ]
    usage = OpenAiEmbeddingUsage(prompt_tokens=embedded.tokens, total_tokens=embedded.tokens)
    return OpenAiEmbeddingResponse(data=data, model=embedded.model_name, usage=usage)


def _base64(vector: Sequence[float]) -> str:
    return base64.b64encode(struct.pack(f"<{len(vector)}f", *vector)).decode("ascii")


def _line(source: Source) -> str:
    page = f", page {source.page}" if source.page is not None else ""
    headings = [heading for heading in source.heading_path if heading != source.title]
    where = " > ".join((_title(source), *headings))
    address = source.url or source.storage_key or ""
    return f"[{source.number}] {where}{page}" + (f" ({address})" if address else "")


def _title(source: Source) -> str:
    return source.title or source.document_id or source.storage_key or f"source {source.number}"


def _address(source: Source) -> str:
    return source.url or f"urn:factflow:{source.segment_id or source.storage_key or source.number}"
