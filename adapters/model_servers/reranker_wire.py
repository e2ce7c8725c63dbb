"""How a reranking service is asked, and how its scores are read."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Any

import msgspec

from domain.retrieval.errors import RerankerUnavailable


class Dialect(StrEnum):
    """Whose ``/rerank`` it is. They differ in what they are sent."""

    COHERE = "cohere"
    JINA = "jina"
    TEI = "tei"


BATCHES: Mapping[Dialect, int] = {Dialect.COHERE: 200, Dialect.JINA: 200, Dialect.TEI: 32}
"""Texts of one request; Text Embeddings Inference takes no more unless it is told to."""


class Scored(msgspec.Struct, frozen=True):
    """The score of the text at ``index`` among those sent."""

    index: int
    relevance_score: float | None = None
    score: float | None = None


class Results(msgspec.Struct, frozen=True):
    """The answer of Cohere and Jina; Text Embeddings Inference answers the list alone."""

    results: list[Scored]


def request_body(dialect: Dialect, model: str | None, query: str, texts: Sequence[str]) -> bytes:
    """The request, in JSON."""
    body: dict[str, Any] = {"query": query}
    if dialect is Dialect.TEI:
        body |= {"texts": list(texts), "truncate": True}
    else:
        body |= {"documents": list(texts), "top_n": len(texts)}
        body |= {"model": model} if model else {}
        body |= {"return_documents": False} if dialect is Dialect.JINA else {}
    return msgspec.json.encode(body)


def read_scores(content: bytes, count: int) -> Sequence[float]:
    """The scores of so many texts, in their order; raises RerankerUnavailable unless each has exactly one."""
    try:
        answer = msgspec.json.decode(content, type=Results | list[Scored])
    except (msgspec.MsgspecError, UnicodeError, RecursionError) as error:
        raise RerankerUnavailable(f"the reranker's answer cannot be read: {error}") from error
    scored = answer.results if isinstance(answer, Results) else answer
    scores = {one.index: _score(one) for one in scored}
    if len(scored) != count or sorted(scores) != list(range(count)):
        raise RerankerUnavailable(f"the reranker was asked about {count} texts and scored others")
    return [scores[index] for index in range(count)]


def _score(scored: Scored) -> float:
    score = scored.score if scored.relevance_score is None else scored.relevance_score
    if score is None or not math.isfinite(score):
        raise RerankerUnavailable("the reranker answered without a score")
    return score
