"""Answers questions from sources, with citations."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace

from application.chat_extracts import Extracts
from application.chat_prompts import Prompt, Prompting, completion_options
from application.chat_sources import ChatSources
from application.ports.document_reader import DocumentReader
from application.ports.language_model import LanguageModel, Piece
from application.ports.object_storage import ObjectStorage
from application.search import Search
from domain.chat import prompt
from domain.chat.answer import (
    AnswerDone,
    AnswerMode,
    ChatAnswer,
    ChatEvent,
    Source,
    SourcesFound,
)
from domain.chat.citing import AnswerWriter
from domain.chat.errors import NoLanguageModel
from domain.chat.extracting import MAX_SENTENCES
from domain.chat.finish import FinishReason, told_first
from domain.chat.places import retold
from domain.chat.request import ChatRequest, ContextMode
from domain.chat.usage import TokenUsage
from domain.json import JsonObject
from domain.templates.template import Template

WIDENED = 3
"""Without a language model sentences are chosen from so many times the segments that are shown."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Chat:
    """Writes answers with the language model, or extractively when none is configured."""

    search: Search
    storage: ObjectStorage
    reader: DocumentReader
    prompting: Prompting
    language_model: LanguageModel | None = None

    async def answer(self, request: ChatRequest) -> ChatAnswer:
        """The whole answer.

        Raises NoLanguageModel, LanguageModelUnavailable, LanguageModelRefused, InvalidChatRequest, ObjectNotFound,
        UnreadableDocument, EmbeddingSlotNotFound, TemplateNotFound, PromptTemplateUnfit, Unavailable.
        """
        template = await self._template(request)
        sources = await self._sources(request)
        if self.language_model is None or _is_hopeless(request, sources):
            return await self._unwritten(request, sources)
        asked = await self.prompting.prompt(request, sources, template)
        completion = await self.language_model.complete(asked.messages, completion_options(request))
        writer = AnswerWriter(asked.sources)
        for _ in (*writer.feed(completion.text), *writer.end()):
            pass
        answer = self._finished(request, asked, writer, completion.usage)
        return replace(answer, finish_reason=completion.finish_reason)

    async def stream(self, request: ChatRequest) -> AsyncGenerator[ChatEvent, None]:
        """The answer as it is written: sources, then text and citations, then the answer as a whole.

        Raises what ``answer`` raises, at the first event or later. Close it (``aclosing``) to stop the model.
        """
        template = await self._template(request)
        sources = await self._sources(request)
        if self.language_model is None or _is_hopeless(request, sources):
            answer = await self._unwritten(request, sources)
            for event in retold(answer):
                yield event
            return
        asked = await self.prompting.prompt(request, sources, template)
        yield SourcesFound(sources=asked.sources, mode=self.mode)
        async with aclosing(self._written(self.language_model, request, asked)) as events:
            async for event in events:
                yield event

    @property
    def mode(self) -> AnswerMode:
        """How answers are made here."""
        return AnswerMode.EXTRACTIVE if self.language_model is None else AnswerMode.GENERATIVE

    async def _template(self, request: ChatRequest) -> Template | None:
        is_written = self.language_model is not None and request.context_mode is not ContextMode.NONE
        return await self.prompting.template(request, is_written=is_written)

    async def _sources(self, request: ChatRequest) -> Sequence[Source]:
        if request.context_mode is ContextMode.NONE:
            if self.language_model is None:
                raise NoLanguageModel
            return ()
        gathering = ChatSources(
            search=self.search,
            storage=self.storage,
            reader=self.reader,
            tokenizer=self.prompting.tokenizer,
        )
        chooses = self.language_model is None and request.rag.most_segments >= MAX_SENTENCES
        return await gathering.gather(request, widened=WIDENED if chooses else 1)

    async def _unwritten(self, request: ChatRequest, sources: Sequence[Source]) -> ChatAnswer:
        """The answer that no language model writes: quotations, or that nothing was found."""
        if _is_hopeless(request, sources):
            answer = ChatAnswer(text=prompt.NOTHING_FOUND, mode=self.mode, is_answered=False)
        else:
            answer = await Extracts(model=self.search.models.own, prompting=self.prompting).answer(
                request, sources
            )
        return replace(answer, observed=_observed(request, answer.sources))

    async def _written(
        self, language_model: LanguageModel, request: ChatRequest, asked: Prompt
    ) -> AsyncGenerator[ChatEvent, None]:
        writer = AnswerWriter(asked.sources)
        usage: TokenUsage | None = None
        reason = FinishReason.STOP
        pieces: AsyncIterator[Piece] = language_model.stream(asked.messages, completion_options(request))
        try:
            async for piece in pieces:
                if isinstance(piece, TokenUsage):
                    usage = piece
                elif isinstance(piece, FinishReason):
                    reason = told_first(reason, piece)
                else:
                    for event in writer.feed(piece):
                        yield event
        finally:
            if isinstance(pieces, AsyncGenerator):
                await pieces.aclose()
        for event in writer.end():
            yield event
        answer = self._finished(request, asked, writer, usage)
        yield AnswerDone(answer=replace(answer, finish_reason=reason))

    def _finished(
        self, request: ChatRequest, asked: Prompt, writer: AnswerWriter, usage: TokenUsage | None
    ) -> ChatAnswer:
        text = writer.text
        knows_nothing = not writer.citations and prompt.DO_NOT_KNOW.match(text.strip())
        return ChatAnswer(
            text=text,
            mode=self.mode,
            sources=asked.sources,
            citations=tuple(writer.citations),
            unknown_markers=tuple(dict.fromkeys(writer.unknown)),
            is_answered=not knows_nothing,
            model=request.model or (self.language_model.name if self.language_model else None),
            usage=usage,
            observed={**_observed(request, asked.sources), "prompt_tokens_estimated": asked.tokens},
        )


def _is_hopeless(request: ChatRequest, sources: Sequence[Source]) -> bool:
    """Whether there is nothing to answer from: a language model is not asked to invent something."""
    return not sources and request.context_mode is not ContextMode.NONE


def _observed(request: ChatRequest, shown: Sequence[Source]) -> JsonObject:
    observed: dict[str, str | int] = {"context_mode": request.context_mode.value, "context_items": len(shown)}
    if request.context_mode in {ContextMode.RAG, ContextMode.HYBRID}:
        observed["retrieval_strategy"] = request.rag.retrieval_strategy.value
    return observed
