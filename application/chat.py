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
    Citation,
    Source,
    SourceCited,
    SourcesFound,
    TextWritten,
)
from domain.chat.citing import AnswerWriter
from domain.chat.errors import NoLanguageModel
from domain.chat.extracting import candidates, chosen
from domain.chat.quoting import excerpt, quoted
from domain.chat.request import ChatRequest, ContextMode
from domain.json import JsonObject


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
        yield SourcesFound(sources=_shown(request, sources), mode=self._mode)
        if self.language_model is None or self._is_hopeless(request, sources):
            answer = await self._answer(request, sources)
            for event in _retold(answer):
                yield event
        else:
            writing = self._written(self.language_model, request, _shown(request, sources))
            async with aclosing(writing) as events:
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
        return await gathering.gather(request)

    async def _answer(self, request: ChatRequest, sources: Sequence[Source]) -> ChatAnswer:
        shown = _shown(request, sources)
        if self._is_hopeless(request, sources):
            return ChatAnswer(
                text=prompt.NOTHING_FOUND,
                mode=self._mode,
                is_answered=False,
                observed=_observed(request, shown),
            )
        if self.language_model is None:
            text, citations = await self._extracted(request, sources, shown)
            return ChatAnswer(
                text=f"{text}\n\n{prompt.QUOTED_NOTICE}",
                mode=self._mode,
                sources=shown,
                citations=citations,
                observed=_observed(request, shown),
            )
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

    async def _extracted(
        self, request: ChatRequest, sources: Sequence[Source], shown: Sequence[Source]
    ) -> tuple[str, Sequence[Citation]]:
        """Quotes objects from the whole of their text, and cites them as they are shown."""
        numbered = {source.number: source for source in shown}
        whole = [source for source in sources if source.number in numbered]
        found = await asyncio.to_thread(candidates, request.query, whole)
        if not found:
            return excerpt(shown[0])
        asked, *vectors = await self.model.embed([request.query, *(one.meaning for one in found)])
        similarities = [math.fsum(a * b for a, b in zip(asked, vector, strict=True)) for vector in vectors]
        text, citations = quoted(chosen(request.query, found, similarities))
        return text, [replace(one, source=numbered[one.number]) for one in citations]

    @property
    def _mode(self) -> AnswerMode:
        return AnswerMode.EXTRACTIVE if self.language_model is None else AnswerMode.GENERATIVE

    def _is_hopeless(self, request: ChatRequest, sources: Sequence[Source]) -> bool:
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
