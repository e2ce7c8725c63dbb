"""A reranker that needs no weights: it counts the query's words."""

from __future__ import annotations

from collections.abc import Sequence

from domain.retrieval.words import words


class MemoryReranker:
    """The share of the query's words that a text has, less a little for its length."""

    def __init__(self, *, name: str = "shared-words") -> None:
        self._name = name

    @property
    def name(self) -> str:
        """As given."""
        return self._name

    async def rerank(self, query: str, texts: Sequence[str]) -> Sequence[float]:
        """A score from 0 to 1 for each text."""
        wanted = set(words(query))
        return [_score(wanted, words(text)) for text in texts]


def _score(wanted: set[str], held: Sequence[str]) -> float:
    if not wanted:
        return 0.0
    return len(wanted.intersection(held)) / len(wanted) / (1 + len(held) / 10_000)
