"""What a language model is given: instructions, earlier turns, sources and the question, within a number of tokens."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from application.chat_prompt_templates import PromptTemplates
from application.ports.language_model import ChatMessage, CompletionOptions
from application.ports.tokenizer import Tokenizer
from domain.chat import budget, prompt
from domain.chat.answer import Source
from domain.chat.passages import Places, holds, quoted_passages
from domain.chat.prompt_template import prompt_from
from domain.chat.request import ChatRequest, ContextMode, Turn
from domain.templates.template import Template, TemplateNotFound


@dataclass(frozen=True, slots=True, kw_only=True)
class Prompt:
    """The sources as far as they fit, and the messages with them."""

    sources: Sequence[Source]
    messages: Sequence[ChatMessage]
    tokens: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Prompting:
    """Fits a request and its sources into ``context_tokens``, as the embedding model's tokenizer counts them.

    No tokenizer of a language model is at hand; that one cuts words smaller than theirs do, and what it does not know
    counts by its length, so the count errs on the safe side. ``instructions`` are the system message when there are
    sources; a template takes the place of it and of the message with the sources.
    """

    tokenizer: Tokenizer
    context_tokens: int = prompt.CONTEXT_TOKENS
    instructions: str = prompt.INSTRUCTIONS
    templates: PromptTemplates | None = None

    async def template(self, request: ChatRequest, *, is_written: bool = True) -> Template | None:
        """The template for this request's prompt, if any; raises TemplateNotFound, PromptTemplateUnfit.

        When no prompt with sources will be written, only a template that the request names is looked at.
        """
        if self.templates is not None and (is_written or request.prompt_template is not None):
            return await self.templates.named(request.prompt_template)
        if request.prompt_template is not None:
            raise TemplateNotFound
        return None

    async def prompt(
        self, request: ChatRequest, sources: Sequence[Source], template: Template | None = None
    ) -> Prompt:
        """Earlier turns take a quarter of the room at most, sources what is left."""
        return await asyncio.to_thread(self._prompt, request, sources, template)

    async def fitting(
        self, request: ChatRequest, sources: Sequence[Source], places: Mapping[int, Places]
    ) -> Sequence[Source]:
        """The sources alone, in their order: first those that have ``places`` by number, so that these are shown.

        A source may be there several times, with different passages.
        """
        return await asyncio.to_thread(self._fitting, request, sources, places)

    def _prompt(self, request: ChatRequest, sources: Sequence[Source], template: Template | None) -> Prompt:
        room = self._room(request)
        turns = budget.recent(request.history, room // budget.HISTORY_SHARE, self.tokenizer.offsets)
        room -= sum(self.tokens_of(turn.content) for turn in turns)
        shown = self._shown(request, sources, room) or self._least(sources)
        messages = self._messages(request, turns, shown, template)
        tokens = sum(self.tokens_of(message.content) for message in messages)
        return Prompt(sources=shown, messages=messages, tokens=tokens)

    def _fitting(
        self, request: ChatRequest, sources: Sequence[Source], places: Mapping[int, Places]
    ) -> Sequence[Source]:
        room = self._room(request)
        quoted = [source for source in sources if source.number in places]
        others = [source for source in sources if source.number not in places]
        passages: Sequence[Source] = []
        # Others are shown beside the quoted ones where these do not need all the room.
        for share in (room // 2, room) if others else (room,):
            passages = quoted_passages(quoted, places, share, self.tokenizer.offsets)
            if _is_all_held(passages, quoted, places):
                break
        room -= sum(budget.cost_of(passage, self.tokenizer.offsets) for passage in passages)
        shown = [*passages, *self._shown(request, others, room)]
        return sorted(shown or self._least(sources), key=lambda source: source.number)

    def tokens_of(self, text: str) -> int:
        """How many tokens a text is taken to have."""
        return budget.tokens_of(text, self.tokenizer.offsets)

    def _room(self, request: ChatRequest) -> int:
        return min(request.context_tokens or self.context_tokens, self.context_tokens)

    def _shown(self, request: ChatRequest, sources: Sequence[Source], room: int) -> Sequence[Source]:
        """Whole objects share the room with each other, and half of it with found segments."""
        objects = [source for source in sources if source.segment_id is None]
        segments = [source for source in sources if source.segment_id is not None]
        offsets = self.tokenizer.offsets
        own = room // 2 if request.context_mode is ContextMode.HYBRID and segments else room
        shown = budget.shared_budget(objects, own, offsets)
        left = room - sum(budget.cost_of(source, offsets) for source in shown)
        return (*shown, *budget.within_budget(segments, left, offsets))

    def _least(self, sources: Sequence[Source]) -> Sequence[Source]:
        """A little of the first source where none fits: without any there is nothing to answer from."""
        return tuple(budget.beginning(source, self.tokenizer.offsets) for source in sources[:1])

    def _messages(
        self,
        request: ChatRequest,
        turns: Sequence[Turn],
        shown: Sequence[Source],
        template: Template | None,
    ) -> Sequence[ChatMessage]:
        said = tuple(ChatMessage(role=turn.role, content=turn.content) for turn in turns)
        if template is not None and shown:
            return (*said, ChatMessage(role="user", content=prompt_from(template, request.query, shown)))
        instructions = self.instructions if shown else prompt.INSTRUCTIONS_WITHOUT_SOURCES
        question = prompt.question_with_sources(request.query, shown) if shown else request.query
        return (
            ChatMessage(role="system", content=instructions),
            *said,
            ChatMessage(role="user", content=question),
        )


def _is_all_held(passages: Sequence[Source], sources: Sequence[Source], places: Mapping[int, Places]) -> bool:
    """Whether every place of every source is in one of its passages."""
    return all(
        any(
            passage.number == source.number and holds(passage, source.start + start, source.start + end)
            for passage in passages
        )
        for source in sources
        for start, end in places[source.number]
    )


def completion_options(request: ChatRequest) -> CompletionOptions:
    """How the model is to write."""
    return CompletionOptions(
        model=request.model, temperature=request.temperature, max_tokens=request.max_tokens
    )
