"""Counts what a model counts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol


class Tokenizer(Protocol):
    """The tokenizer of one embedding model. Safe to call from several threads."""

    def offsets(self, text: str) -> Sequence[tuple[int, int]]:
        """The ``[start, end)`` character range of every token of the text, without special tokens, never cut short."""
        ...

    @property
    def limit(self) -> int:
        """How many tokens of a text the model reads at most, special tokens not counted."""
        ...
