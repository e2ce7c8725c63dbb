"""The passages of given objects that come nearest to a question."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Sequence
from dataclasses import replace

from application.ports.embedding_model import EmbeddingModel
from application.ports.tokenizer import Tokenizer
from domain.chat.answer import Source
from domain.chat.extracting import content_stems
from domain.document import ReadDocument
from domain.segmentation import segments

COMPARED = 48
"""Passages that are compared by meaning; of more, those that share fewest words with the question are left out."""


async def nearest_passages(
    query: str,
    objects: Sequence[tuple[Source, ReadDocument]],
    *,
    model: EmbeddingModel,
    tokenizer: Tokenizer,
    most: int,
) -> Sequence[Source]:
    """At most so many passages in the order of the objects and of their text; raises Unavailable."""
    passages = await asyncio.to_thread(_passages, query, objects, tokenizer)
    asked, *vectors = await model.embed([query, *(passage.text for passage in passages)])
    scored = [
        replace(passage, score=cosine(asked, vector))
        for passage, vector in zip(passages, vectors, strict=True)
    ]
    best = {id(one) for one in sorted(scored, key=lambda one: -(one.score or 0.0))[:most]}
    return [one for one in scored if id(one) in best]


def cosine(one: Sequence[float], other: Sequence[float]) -> float:
    """The similarity of two vectors of unit length."""
    return math.fsum(a * b for a, b in zip(one, other, strict=True))


def _passages(
    query: str, objects: Sequence[tuple[Source, ReadDocument]], tokenizer: Tokenizer
) -> Sequence[Source]:
    cut = [
        replace(
            one,
            text=found.text,
            start=found.start,
            end=found.end,
            heading_path=tuple(found.heading_path),
            page=found.page,
            is_cut=True,
        )
        for one, read in objects
        for found in segments(replace(read, markdown=one.text), tokenizer.offsets, max_tokens=tokenizer.limit)
    ]
    asked = content_stems(query)
    shared = {id(one): len(asked & content_stems(one.text)) for one in cut}
    compared = {id(one) for one in sorted(cut, key=lambda one: -shared[id(one)])[:COMPARED]}
    return [one for one in cut if id(one) in compared]
