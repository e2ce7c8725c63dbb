"""What a chat answers, on the wire: whole, and as a stream of events."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from msgspec import Struct

from adapters.http.streaming import ServerSentEvent
from domain.chat.answer import (
    ChatAnswer,
    ChatEvent,
    Citation,
    Source,
    SourceCited,
    SourcesFound,
    TextWritten,
)


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

    `start` and `end` are the cited characters in the document's Markdown.
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
    `unknown_markers` are numbers the model cited that no source has; they were taken out of the text.
    """

    text: str
    mode: str
    model: str | None
    is_answered: bool
    sources: list[SourceAttribution]
    citations: list[CitationResponse]
    documents: list[DocumentUsed]
    unknown_markers: list[int]
    rag_metadata: dict[str, Any]


class AnswerDoneData(Struct, frozen=True, kw_only=True):
    """The end of a streamed answer: what was not told before."""

    completed: bool
    mode: str
    model: str | None
    is_answered: bool
    citations: list[CitationResponse]
    documents: list[DocumentUsed]
    unknown_markers: list[int]
    rag_metadata: dict[str, Any]


def completion_response(answer: ChatAnswer) -> ChatCompletionResponse:
    """An answer as it travels."""
    return ChatCompletionResponse(
        text=answer.text,
        mode=answer.mode.value,
        model=answer.model,
        is_answered=answer.is_answered,
        sources=[_source(source) for source in answer.sources],
        citations=[_citation(citation) for citation in answer.citations],
        documents=_documents(answer.sources),
        unknown_markers=list(answer.unknown_markers),
        rag_metadata=dict(answer.observed),
    )


def chat_event(event: ChatEvent, number: int) -> ServerSentEvent:
    """One event of a streamed answer: `sources`, `text`, `citation` or `done`; ids count from 1."""
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


def _event(name: str, data: Any, number: int) -> ServerSentEvent:
    return ServerSentEvent(event=name, data=data, id=str(number))


def _done(answer: ChatAnswer) -> AnswerDoneData:
    return AnswerDoneData(
        completed=True,
        mode=answer.mode.value,
        model=answer.model,
        is_answered=answer.is_answered,
        citations=[_citation(citation) for citation in answer.citations],
        documents=_documents(answer.sources),
        unknown_markers=list(answer.unknown_markers),
        rag_metadata=dict(answer.observed),
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
        heading_path=list(source.heading_path),
        page=source.page,
        start=citation.start,
        end=citation.end,
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
