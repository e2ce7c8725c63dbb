"""Vectors for texts, made by the model of an embedding slot."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from application.embedding_models import EmbeddingModels
from application.ports.tokenizer import Tokenizer
from domain.errors import Invalid

MAX_TEXTS = 2048
MAX_TEXT_CHARACTERS = 100_000
MAX_CHARACTERS = 2_000_000


class InvalidTexts(Invalid):
    """The texts to embed are 1 to 2,048, none of them empty, of 100,000 characters each and two million in all at most."""

    code = "texts_invalid"


@dataclass(frozen=True, slots=True, kw_only=True)
class EmbeddedTexts:
    """A vector of unit length per text, in order, with the slot and the model that made them.

    ``tokens`` is how many there are in all the texts, as the tokenizer of the built-in model counts.
    """

    model_name: str
    identity: str
    dimension: int
    vectors: Sequence[Sequence[float]]
    tokens: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Embeddings:
    """Embeds texts as those of documents are embedded."""

    models: EmbeddingModels
    tokenizer: Tokenizer

    @property
    def model_names(self) -> Sequence[str]:
        """The slots that texts can be embedded for, the one that is meant where none is named first."""
        return list(self.models.by_name)

    async def embed(self, texts: Sequence[str], *, model_name: str | None = None) -> EmbeddedTexts:
        """Embed the texts by the model of a slot, the server's own unless named.

        Longer texts than the model reads are cut by it. Raises EmbeddingSlotNotFound, InvalidTexts, Unavailable.
        """
        model = self.models.named(model_name)
        _require_embeddable(texts)
        vectors = await model.embed(texts)
        tokens = await asyncio.to_thread(lambda: sum(len(self.tokenizer.offsets(text)) for text in texts))
        return EmbeddedTexts(
            model_name=model.model_name,
            identity=model.identity,
            dimension=model.dimension,
            vectors=vectors,
            tokens=tokens,
        )


def _require_embeddable(texts: Sequence[str]) -> None:
    if not 1 <= len(texts) <= MAX_TEXTS:
        raise InvalidTexts(f"there are 1 to {MAX_TEXTS} texts to embed, not {len(texts)}")
    for place, text in enumerate(texts):
        if not text.strip():
            raise InvalidTexts(f"text {place} is empty")
        if len(text) > MAX_TEXT_CHARACTERS:
            raise InvalidTexts(f"text {place} is longer than {MAX_TEXT_CHARACTERS} characters")
    if sum(map(len, texts)) > MAX_CHARACTERS:
        raise InvalidTexts(f"the texts have more than {MAX_CHARACTERS} characters together")
