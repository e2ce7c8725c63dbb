"""How threads and messages lie in their tables."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import msgspec
from msgspec import Struct

from domain.chat.answer import AnswerMode, ChatAnswer, Citation, Source
from domain.chat.finish import FinishReason
from domain.chat.request import (
    ChatRequest,
    ContextMode,
    DataSource,
    RagConfig,
    Reading,
    RetrievalStrategy,
    Turn,
)
from domain.chat.thread import Message, MessageStatus, Role, Thread, TitleOrigin
from domain.chat.usage import TokenUsage
from domain.retrieval.words import words

THREAD_COLUMNS = "id, owner, title, title_origin, head_id, messages, origin_thread_id, origin_message_id, created_at, updated_at"
MESSAGE_COLUMNS = (
    "id, thread_id, parent_id, depth, role, content, status, request, answer, error, created_at, updated_at"
)


class KeptCitation(Struct, frozen=True, kw_only=True):
    """A citation, with its source by number; without headings it stands where its source does."""

    number: int
    answer_start: int
    answer_end: int
    start: int
    end: int
    heading_path: list[str] | None = None
    page: int | None = None


class KeptAnswer(Struct, frozen=True, kw_only=True):
    """An answer; its text is the message's content."""

    mode: AnswerMode
    sources: list[dict[str, Any]] = []
    citations: list[KeptCitation] = []
    unknown_markers: list[int] = []
    is_answered: bool = True
    finish_reason: FinishReason = FinishReason.STOP
    model: str | None = None
    usage: TokenUsage | None = None
    observed: dict[str, Any] = {}


def thread_values(thread: Thread) -> dict[str, Any]:
    """A thread's columns by name."""
    origin_thread, origin_message = thread.origin or (None, None)
    names = ("id", "owner", "title", "head_id", "messages", "created_at", "updated_at")
    return {
        **{name: getattr(thread, name) for name in names},
        "title_origin": thread.title_origin.value,
        "origin_thread_id": origin_thread,
        "origin_message_id": origin_message,
    }


def thread_of(row: Sequence[Any]) -> Thread:
    """A thread from its columns."""
    values = dict(zip(THREAD_COLUMNS.split(", "), row, strict=True))
    origin = values.pop("origin_thread_id"), values.pop("origin_message_id")
    title_origin = TitleOrigin(values.pop("title_origin"))
    return Thread(**values, title_origin=title_origin, origin=origin if origin[0] else None)


def message_values(message: Message) -> dict[str, Any]:
    """A message's columns by name."""
    names = ("id", "thread_id", "parent_id", "depth", "created_at", "updated_at")
    return {
        **{name: getattr(message, name) for name in names},
        "role": message.role.value,
        "status": message.status.value,
        "content": message.content,
        "request": _json(message.request),
        "answer": _json(_kept(message.answer)),
        "error": _json(message.error),
        "words": sorted(set(words(message.content))),
    }


def message_of(row: Sequence[Any]) -> Message:
    """A message from its columns."""
    values = dict(zip(MESSAGE_COLUMNS.split(", "), row, strict=True))
    request, answer = values.pop("request"), values.pop("answer")
    return Message(
        **values | {"role": Role(values["role"]), "status": MessageStatus(values["status"])},
        request=_request(request) if request else None,
        answer=_answer(msgspec.convert(answer, KeptAnswer), values["content"]) if answer else None,
    )


def _json(value: Any) -> str | None:
    return None if value is None else msgspec.json.encode(value).decode()


def _request(kept: dict[str, Any]) -> ChatRequest:
    rag = kept["rag"]
    return ChatRequest(
        **kept
        | {
            "history": tuple(Turn(**turn) for turn in kept["history"]),
            "context_mode": ContextMode(kept["context_mode"]),
            "rag": RagConfig(
                sources=tuple(DataSource(**source) for source in rag["sources"]),
                retrieval_strategy=RetrievalStrategy(rag["retrieval_strategy"]),
                max_context_items=rag["max_context_items"],
            ),
            "attachments": tuple(kept["attachments"]),
            "reading": Reading(**kept["reading"]),
        }
    )


def _kept(answer: ChatAnswer | None) -> KeptAnswer | None:
    if answer is None:
        return None
    return KeptAnswer(
        mode=answer.mode,
        sources=[msgspec.to_builtins(replace(source, page_starts=())) for source in answer.sources],
        citations=[
            KeptCitation(
                number=citation.number,
                answer_start=citation.answer_start,
                answer_end=citation.answer_end,
                start=citation.start,
                end=citation.end,
                heading_path=list(citation.heading_path),
                page=citation.page,
            )
            for citation in answer.citations
        ],
        unknown_markers=list(answer.unknown_markers),
        is_answered=answer.is_answered,
        finish_reason=answer.finish_reason,
        model=answer.model,
        usage=answer.usage,
        observed=dict(answer.observed),
    )


def _answer(kept: KeptAnswer, text: str) -> ChatAnswer:
    sources = {source.number: source for source in map(_source, kept.sources)}
    return ChatAnswer(
        text=text,
        mode=kept.mode,
        sources=tuple(sources.values()),
        citations=tuple(_citation(citation, sources[citation.number]) for citation in kept.citations),
        unknown_markers=tuple(kept.unknown_markers),
        is_answered=kept.is_answered,
        finish_reason=kept.finish_reason,
        model=kept.model,
        usage=kept.usage,
        observed=kept.observed,
    )


def _citation(kept: KeptCitation, source: Source) -> Citation:
    values = msgspec.structs.asdict(kept)
    if kept.heading_path is None:
        values |= {"heading_path": source.heading_path, "page": source.page}
    return Citation(**values | {"heading_path": tuple(values["heading_path"])}, source=source)


def _source(kept: dict[str, Any]) -> Source:
    source = msgspec.convert(kept, Source)
    return replace(source, heading_path=tuple(source.heading_path), page_starts=())
