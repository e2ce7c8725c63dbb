"""Reads a query and texts together and says how well each answers it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol


class Reranker(Protocol):
    """A cross-encoder, slower and better than comparing vectors. Safe for concurrent use."""

    @property
    def name(self) -> str:
        """The model's name."""
        ...

    async def rerank(self, query: str, texts: Sequence[str]) -> Sequence[float]:
        """A finite score for each text, in order, higher is better; of no texts none, without asking anyone.

        Raises RerankerUnavailable when there is no answer in time, the service is overloaded or failing after all
        attempts, or its answer cannot be used; RerankerRefused when it rejects the request or the key.
        """
        ...
