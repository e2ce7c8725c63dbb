"""What a chat answers, on the wire: whole, and as a stream of events."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from msgspec import Struct

from adapters.http.streaming import ServerSentEvent
from application.chat import Chat
from domain.chat.answer import (
    ChatAnswer,
    ChatEvent,
    Citation,
    Source,
    SourceCited,
    SourcesFound,
    TextWritten,
)
from domain.chat.request import (
    MAX_ATTACHMENTS,
    MAX_HISTORY,
    MAX_QUERY_CHARACTERS,
    ContextMode,
    RetrievalStrategy,
)
from domain.chat.usage import TokenUsage


class SourceAttribution(Struct, frozen=True, kw_only=True):
    """A numbered passage that the answer may cite as `[number]`.

    `start` and `end` are its characters in the document's Markdown; `is_cut` tells that an object was too long.
    """

    number: int
    text: str
    title: str
    url: str
    heading_path: list[str]
    start: int
    end: int
    page: int | None
    score: float | None
    segment_id: UUID | None
    document_id: str | None
    storage_key: str | None
    lineage_id: UUID | None
    execution_id: UUID | None
    origin: str | None
    is_cut: bool


class CitationResponse(Struct, frozen=True, kw_only=True):
    """A marker in the answer: the statement it closes is `text[answer_start:answer_end]`, the marker included.

    `passage` is what is cited, `start` and `end` its characters in the document's Markdown.
    """

    number: int
    marker: str
    answer_start: int
    answer_end: int
    segment_id: UUID | None
    document_id: str | None
    storage_key: str | None
    title: str
    url: str
    heading_path: list[str]
    page: int | None
    start: int
    end: int
    passage: str


class StatementPlace(Struct, frozen=True, kw_only=True):
    """A statement of the answer that no citation covers: `text[start:end]`."""

    start: int
    end: int


class TokenUsageResponse(Struct, frozen=True, kw_only=True):
    """Tokens that the language model's server counted."""

    prompt_tokens: int
    completion_tokens: int
    total_tokens: int


class DocumentUsed(Struct, frozen=True, kw_only=True):
    """A document among the sources; `index` counts from 1, as the markers do."""

    index: int
    document_id: str | None
    storage_key: str | None
    path: str | None
    title: str
    url: str


class ChatCompletionResponse(Struct, frozen=True, kw_only=True):
    """A whole answer with what it rests on.

    `mode` is `generative` or `extractive` (made of the sources' own sentences, when no language model is set up).
    `is_answered` is false when nothing was found to answer from or the model says that it does not know.
    `is_supported` is false when no source is cited; `uncited` are the statements without a citation.
    `unknown_markers` are numbers the model cited that no source has; they were taken out of the text.
    `finish_reason` is `stop`, `length` (the model had no more tokens, and the text is cut off) or `content_filter`.
    """

    text: str
    mode: str
    model: str | None
    is_answered: bool
    is_supported: bool
    sources: list[SourceAttribution]
    citations: list[CitationResponse]
    documents: list[DocumentUsed]
    unknown_markers: list[int]
    finish_reason: str
    uncited: list[StatementPlace]
    usage: TokenUsageResponse | None
    rag_metadata: dict[str, Any]


class AnswerDoneData(Struct, frozen=True, kw_only=True):
    """The end of a streamed answer: what was not told before."""

    completed: bool
    mode: str
    model: str | None
    is_answered: bool
    is_supported: bool
    citations: list[CitationResponse]
    documents: list[DocumentUsed]
    unknown_markers: list[int]
    finish_reason: str
    uncited: list[StatementPlace]
    usage: TokenUsageResponse | None
    rag_metadata: dict[str, Any]


class ChatCapabilitiesResponse(Struct, frozen=True, kw_only=True):
    """What chat can do here. `model` is null, and `mode` `extractive`, where no language model is set up."""

    mode: str
    model: str | None
    context_modes: list[str]
    retrieval_strategies: list[str]
    slots: list[str]
    max_context_tokens: int
    max_query_characters: int
    max_history: int
    max_attachments: int


def capabilities_response(chat: Chat) -> ChatCapabilitiesResponse:
    """What a chat can do, on the wire."""
    modes = [mode for mode in ContextMode if chat.language_model or mode is not ContextMode.NONE]
    return ChatCapabilitiesResponse(
        mode=chat.mode.value,
        model=chat.language_model.name if chat.language_model else None,
        context_modes=[mode.value for mode in modes],
        retrieval_strategies=[strategy.value for strategy in RetrievalStrategy],
        slots=list(chat.search.model_names),
        max_context_tokens=chat.prompting.context_tokens,
        max_query_characters=MAX_QUERY_CHARACTERS,
        max_history=MAX_HISTORY,
        max_attachments=MAX_ATTACHMENTS,
    )


def completion_response(answer: ChatAnswer) -> ChatCompletionResponse:
    """An answer as it travels."""
    return ChatCompletionResponse(
        text=answer.text,
        mode=answer.mode.value,
        model=answer.model,
        is_answered=answer.is_answered,
        is_supported=answer.is_supported,
        sources=[_source(source) for source in answer.sources],
        citations=[_citation(citation) for citation in answer.citations],
        documents=_documents(answer.sources),
        unknown_markers=list(answer.unknown_markers),
        finish_reason=answer.finish_reason.value,
        uncited=_uncited(answer),
        usage=usage_response(answer.usage),
        rag_metadata=dict(answer.observed),
    )


def chat_event(event: ChatEvent, number: str) -> ServerSentEvent:
    """One event of a streamed answer with its id: `sources`, `text`, `citation` or `done`."""
    match event:
        case SourcesFound():
            sources = [_source(source) for source in event.sources]
            return _event("sources", {"sources": sources, "mode": event.mode.value}, number)
        case TextWritten():
            return _event("text", {"content": event.content}, number)
        case SourceCited():
            return _event("citation", _citation(event.citation), number)
        case _:
            return _event("done", _done(event.answer), number)


def _event(name: str, data: Any, number: str) -> ServerSentEvent:
    return ServerSentEvent(event=name, data=data, id=number)


def _done(answer: ChatAnswer) -> AnswerDoneData:
    return AnswerDoneData(
        completed=True,
        mode=answer.mode.value,
        model=answer.model,
        is_answered=answer.is_answered,
        is_supported=answer.is_supported,
        citations=[_citation(citation) for citation in answer.citations],
        documents=_documents(answer.sources),
        unknown_markers=list(answer.unknown_markers),
        finish_reason=answer.finish_reason.value,
        uncited=_uncited(answer),
        usage=usage_response(answer.usage),
        rag_metadata=dict(answer.observed),
    )


def _uncited(answer: ChatAnswer) -> list[StatementPlace]:
    return [StatementPlace(start=start, end=end) for start, end in answer.uncited]


def usage_response(usage: TokenUsage | None) -> TokenUsageResponse | None:
    """What an answer has cost, if that is known."""
    if usage is None:
        return None
    return TokenUsageResponse(
        prompt_tokens=usage.prompt_tokens,
        completion_tokens=usage.completion_tokens,
        total_tokens=usage.total_tokens,
    )


def _source(source: Source) -> SourceAttribution:
    return SourceAttribution(
        number=source.number,
        text=source.text,
        title=source.title,
        url=source.url,
        heading_path=list(source.heading_path),
        start=source.start,
        end=source.end,
        page=source.page,
        score=source.score,
        segment_id=source.segment_id,
        document_id=source.document_id,
        storage_key=source.storage_key,
        lineage_id=source.lineage_id,
        execution_id=source.execution_id,
        origin=source.origin,
        is_cut=source.is_cut,
    )


def _citation(citation: Citation) -> CitationResponse:
    source = citation.source
    return CitationResponse(
        number=citation.number,
        marker=citation.marker,
        answer_start=citation.answer_start,
        answer_end=citation.answer_end,
        segment_id=source.segment_id,
        document_id=source.document_id,
        storage_key=source.storage_key,
        title=source.title,
        url=source.url,
        heading_path=list(citation.heading_path),
        page=citation.page,
        start=citation.start,
        end=citation.end,
        passage=citation.passage,
    )


def _documents(sources: Sequence[Source]) -> list[DocumentUsed]:
    first: dict[object, Source] = {}
    for source in sources:
        first.setdefault(source.document_id or source.storage_key or source.number, source)
    return [
        DocumentUsed(
            index=source.number,
            document_id=source.document_id,
            storage_key=source.storage_key,
            path=source.storage_key,
            title=source.title,
            url=source.url,
        )
        for source in first.values()
    ]
