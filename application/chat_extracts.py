"""Answers made of the sources' own sentences, when no language model is configured."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from application.chat_prompts import Prompting
from application.ports.embedding_model import EmbeddingModel
from domain.chat import prompt
from domain.chat.answer import AnswerMode, ChatAnswer, Source
from domain.chat.extracting import Candidate, candidates, chosen, kept_sources, moved
from domain.chat.passages import holds
from domain.chat.quoting import excerpt, quoted
from domain.chat.request import ChatRequest


@dataclass(frozen=True, slots=True, kw_only=True)
class Extracts:
    """Quotes the best sentences of many segments, and of the whole text of objects."""

    model: EmbeddingModel
    prompting: Prompting

    async def answer(self, request: ChatRequest, sources: Sequence[Source]) -> ChatAnswer:
        """The answer, each sentence with its citation; raises Unavailable."""
        found = await asyncio.to_thread(candidates, request.query, sources)
        asked, *vectors = await self.model.embed([request.query, *(one.meaning for one in found)])
        similarities = [math.fsum(a * b for a, b in zip(asked, vector, strict=True)) for vector in vectors]
        picked = chosen(request.query, found, similarities)
        kept = kept_sources(sources, picked, request.rag.most_segments)
        fitting = await self.prompting.fitting(request, kept, _places(picked))
        listed = tuple(replace(source, number=number) for number, source in enumerate(fitting, start=1))
        held = _held(picked, fitting, listed)
        text, citations = quoted(held) if held else excerpt(listed[0])
        return ChatAnswer(
            text=f"{text}\n\n{prompt.QUOTED_NOTICE}",
            mode=AnswerMode.EXTRACTIVE,
            sources=listed,
            citations=citations,
        )


def _places(picked: Sequence[Candidate]) -> dict[int, list[tuple[int, int]]]:
    """Where the picked sentences of each source stand in its text, by its number."""
    places: dict[int, list[tuple[int, int]]] = {}
    for one in sorted(picked, key=lambda one: one.start):
        places.setdefault(one.source.number, []).append((one.sentence.start, one.sentence.end))
    return places


def _held(
    picked: Sequence[Candidate], fitting: Sequence[Source], listed: Sequence[Source]
) -> Sequence[Candidate]:
    """The picked sentences that stand in what is shown of their source, as sentences of that."""
    shown = [(before.number, passage) for before, passage in zip(fitting, listed, strict=True)]
    held: list[Candidate] = []
    for one in picked:
        passages = [passage for number, passage in shown if number == one.source.number]
        held += [moved(one, passage) for passage in passages if holds(passage, one.start, one.end)][:1]
    return held
