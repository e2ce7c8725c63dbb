"""Segments made up by the hundred thousand: words as often as in a language, vectors as near each other as passages are."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np

DIMENSION = 384
LATENT = 32
VOCABULARY = 60_000
WORDS_PER_SEGMENT = 110
QUERY_WORDS = (3, 8)
SLOT = "synthetic"

_SEED = 384


class SyntheticModel:
    """A vector for every text, decided by its bytes: points of a 32-dimensional plane in 384 dimensions, and some noise.

    It stands for a model whose time is not to be measured.
    """

    def __init__(self) -> None:
        self._plane = np.random.default_rng(_SEED).standard_normal((LATENT, DIMENSION))

    @property
    def model_name(self) -> str:
        """``synthetic``."""
        return SLOT

    @property
    def identity(self) -> str:
        """What decides the vectors."""
        return f"synthetic/{DIMENSION}/{LATENT}/{_SEED}"

    @property
    def dimension(self) -> int:
        """384."""
        return DIMENSION

    @property
    def default_threshold(self) -> float:
        """None to speak of."""
        return -1.0

    async def embed(self, texts: Sequence[str]) -> Sequence[Sequence[float]]:
        """A vector of unit length per text."""
        return [self.vector(text) for text in texts]

    def vector(self, text: str) -> Sequence[float]:
        """The text's vector."""
        seed = int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest())
        random = np.random.default_rng(seed)
        point = random.standard_normal(LATENT) @ self._plane + 0.5 * random.standard_normal(DIMENSION)
        return (point / np.linalg.norm(point)).tolist()


class SyntheticTexts:
    """Texts and queries of words as frequent as Zipf and Mandelbrot have them, the same in every run."""

    def __init__(self) -> None:
        self._random = np.random.default_rng(_SEED + 1)
        shares = 1.0 / (np.arange(VOCABULARY) + 20.0)
        self._shares = shares / shares.sum()

    def text(self) -> str:
        """A segment's."""
        return self._words(WORDS_PER_SEGMENT)

    def query(self) -> str:
        """Of a few words, common ones among them as often as in texts."""
        return self._words(int(self._random.integers(*QUERY_WORDS)))

    def _words(self, count: int) -> str:
        return " ".join(f"w{rank}x" for rank in self._random.choice(VOCABULARY, size=count, p=self._shares))
