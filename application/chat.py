"""Answers questions from sources, with citations."""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace

from application.chat_sources import ChatSources
from application.ports.document_reader import DocumentReader
from application.ports.embedding_model import EmbeddingModel
from application.ports.language_model import ChatMessage, CompletionOptions, LanguageModel
from application.ports.object_storage import ObjectStorage
from application.search import Search
from domain.chat import prompt
from domain.chat.answer import (
    AnswerDone,
    AnswerMode,
    ChatAnswer,
    ChatEvent,
    Source,
    SourceCited,
    SourcesFound,
    TextWritten,
)
from domain.chat.citing import AnswerWriter
from domain.chat.errors import NoLanguageModel
from domain.chat.extracting import MAX_SENTENCES, candidates, chosen, kept_sources
from domain.chat.quoting import excerpt, quoted
from domain.chat.request import ChatRequest, ContextMode
from domain.json import JsonObject

WIDENED = 3
"""Without a language model sentences are chosen from so many times the segments that are shown."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Chat:
    """Writes answers with the language model, or extractively when none is configured."""

    search: Search
    model: EmbeddingModel
    storage: ObjectStorage
    reader: DocumentReader
    language_model: LanguageModel | None = None

    async def answer(self, request: ChatRequest) -> ChatAnswer:
        """The whole answer.

        Raises NoLanguageModel, LanguageModelUnavailable, LanguageModelRefused, InvalidChatRequest, ObjectNotFound,
        UnreadableDocument, EmbeddingSlotNotFound, Unavailable.
        """
        return await self._answer(request, await self._sources(request))

    async def stream(self, request: ChatRequest) -> AsyncGenerator[ChatEvent, None]:
        """The answer as it is written: sources, then text and citations, then the answer as a whole.

        Raises what ``answer`` raises, at the first event or later. Close it (``aclosing``) to stop the model.
        """
        sources = await self._sources(request)
        if self.language_model is None or _is_hopeless(request, sources):
            answer = await self._answer(request, sources)
            yield SourcesFound(sources=answer.sources, mode=self._mode)
            for event in _retold(answer):
                yield event
            return
        shown = _shown(request, sources)
        yield SourcesFound(sources=shown, mode=self._mode)
        async with aclosing(self._written(self.language_model, request, shown)) as events:
            async for event in events:
                yield event

    async def _sources(self, request: ChatRequest) -> Sequence[Source]:
        if request.context_mode is ContextMode.NONE:
            if self.language_model is None:
                raise NoLanguageModel
            return ()
        gathering = ChatSources(
            search=self.search, model=self.model, storage=self.storage, reader=self.reader
        )
        chooses = self.language_model is None and request.rag.most_segments >= MAX_SENTENCES
        return await gathering.gather(request, widened=WIDENED if chooses else 1)

    async def _answer(self, request: ChatRequest, sources: Sequence[Source]) -> ChatAnswer:
        if _is_hopeless(request, sources):
            return ChatAnswer(
                text=prompt.NOTHING_FOUND, mode=self._mode, is_answered=False, observed=_observed(request, ())
            )
        if self.language_model is None:
            return await self._extracted(request, sources)
        shown = _shown(request, sources)
        text = await self.language_model.complete(_messages(request, shown), _options(request))
        writer = AnswerWriter(shown)
        for _ in (*writer.feed(text), *writer.end()):
            pass
        return self._finished(request, shown, writer)

    async def _written(
        self, language_model: LanguageModel, request: ChatRequest, shown: Sequence[Source]
    ) -> AsyncGenerator[ChatEvent, None]:
        writer = AnswerWriter(shown)
        pieces: AsyncIterator[str] = language_model.stream(_messages(request, shown), _options(request))
        try:
            async for piece in pieces:
                for event in writer.feed(piece):
                    yield event
        finally:
            if isinstance(pieces, AsyncGenerator):
                await pieces.aclose()
        for event in writer.end():
            yield event
        yield AnswerDone(answer=self._finished(request, shown, writer))

    def _finished(self, request: ChatRequest, shown: Sequence[Source], writer: AnswerWriter) -> ChatAnswer:
        return ChatAnswer(
            text=writer.text,
            mode=self._mode,
            sources=shown,
            citations=tuple(writer.citations),
            unknown_markers=tuple(dict.fromkeys(writer.unknown)),
            model=request.model or (self.language_model.name if self.language_model else None),
            observed=_observed(request, shown),
        )

    async def _extracted(self, request: ChatRequest, sources: Sequence[Source]) -> ChatAnswer:
        """Quotes the best sentences of many segments, and of the whole text of objects."""
        found = await asyncio.to_thread(candidates, request.query, sources)
        asked, *vectors = await self.model.embed([request.query, *(one.meaning for one in found)])
        similarities = [math.fsum(a * b for a, b in zip(asked, vector, strict=True)) for vector in vectors]
        picked = chosen(request.query, found, similarities)
        kept = kept_sources(sources, picked, request.rag.most_segments)
        shown = {
            source.number: replace(source, number=number)
            for number, source in enumerate(_shown(request, kept), start=1)
        }
        picked = [
            replace(one, source=shown[one.source.number]) for one in picked if one.source.number in shown
        ]
        listed = tuple(shown.values())
        text, citations = quoted(picked) if picked else excerpt(listed[0])
        return ChatAnswer(
            text=f"{text}\n\n{prompt.QUOTED_NOTICE}",
            mode=self._mode,
            sources=listed,
            citations=citations,
            observed=_observed(request, listed),
        )

    @property
    def _mode(self) -> AnswerMode:
        return AnswerMode.EXTRACTIVE if self.language_model is None else AnswerMode.GENERATIVE


def _is_hopeless(request: ChatRequest, sources: Sequence[Source]) -> bool:
    """Whether there is nothing to answer from: a language model is not asked to invent something."""
    return not sources and request.context_mode is not ContextMode.NONE


def _shown(request: ChatRequest, sources: Sequence[Source]) -> Sequence[Source]:
    """The sources as far as they fit in a prompt; whole objects share the room with each other."""
    objects = [source for source in sources if source.segment_id is None]
    segments = [source for source in sources if source.segment_id is not None]
    room = prompt.CONTEXT_CHARACTERS
    if request.context_mode is ContextMode.HYBRID and segments:
        room //= 2
    return (*prompt.shared_budget(objects, room), *prompt.within_budget(segments, room))


def _messages(request: ChatRequest, shown: Sequence[Source]) -> Sequence[ChatMessage]:
    instructions = prompt.INSTRUCTIONS if shown else prompt.INSTRUCTIONS_WITHOUT_SOURCES
    question = prompt.question_with_sources(request.query, shown) if shown else request.query
    return (
        ChatMessage(role="system", content=instructions),
        *(ChatMessage(role=turn.role, content=turn.content) for turn in prompt.recent(request.history)),
        ChatMessage(role="user", content=question),
    )


def _options(request: ChatRequest) -> CompletionOptions:
    return CompletionOptions(
        model=request.model, temperature=request.temperature, max_tokens=request.max_tokens
    )


def _observed(request: ChatRequest, shown: Sequence[Source]) -> JsonObject:
    observed: dict[str, str | int] = {"context_mode": request.context_mode.value, "context_items": len(shown)}
    if request.context_mode in {ContextMode.RAG, ContextMode.HYBRID}:
        observed["retrieval_strategy"] = request.rag.retrieval_strategy.value
    return observed


def _retold(answer: ChatAnswer) -> Sequence[ChatEvent]:
    """The events of an answer that is there already: each citation after the text it closes."""
    events: list[ChatEvent] = []
    written = 0
    for citation in answer.citations:
        if written < citation.answer_end:
            events.append(TextWritten(content=answer.text[written : citation.answer_end]))
            written = citation.answer_end
        events.append(SourceCited(citation=citation))
    if written < len(answer.text):
        events.append(TextWritten(content=answer.text[written:]))
    return (*events, AnswerDone(answer=answer))
