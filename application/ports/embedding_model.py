"""Turns texts into vectors."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol


class EmbeddingModel(Protocol):
    """One embedding model, bound to one slot. Safe for concurrent use."""

    @property
    def model_name(self) -> str:
        """The slot's name: every vector is stored under it and never mixed with another's."""
        ...

    @property
    def identity(self) -> str:
        """Which weights and arithmetic make the vectors; a change means they must all be made again."""
        ...

    @property
    def dimension(self) -> int:
        """The length of the vectors."""
        ...

    @property
    def default_threshold(self) -> float:
        """The calibrated similarity below which a match is not a good passage."""
        ...

    async def embed(self, texts: Sequence[str]) -> Sequence[Sequence[float]]:
        """A vector of unit length per text, in order. Texts longer than the model's limit are cut.

        Raises Unavailable when the model cannot be reached, and Invalid when it does not take one of the texts.
        """
        ...
