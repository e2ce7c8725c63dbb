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
from domain.chat.extracting import candidates, chosen, kept_sources
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
        fitting = await self.prompting.fitting(request, kept)
        shown = {
            source.number: replace(source, number=number) for number, source in enumerate(fitting, start=1)
        }
        picked = [
            replace(one, source=shown[one.source.number]) for one in picked if one.source.number in shown
        ]
        listed = tuple(shown.values())
        text, citations = quoted(picked) if picked else excerpt(listed[0])
        return ChatAnswer(
            text=f"{text}\n\n{prompt.QUOTED_NOTICE}",
            mode=AnswerMode.EXTRACTIVE,
            sources=listed,
            citations=citations,
        )
