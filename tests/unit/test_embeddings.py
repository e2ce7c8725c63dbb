"""Embedding texts for a slot, and what is refused."""

from __future__ import annotations

import math

import pytest

from adapters.memory.models import MemoryEmbeddingModel, MemoryTokenizer
from application.embedding_models import EmbeddingModels, EmbeddingSlotNotFound
from application.embeddings import MAX_CHARACTERS, MAX_TEXT_CHARACTERS, MAX_TEXTS, Embeddings, InvalidTexts


@pytest.fixture
def embeddings() -> Embeddings:
    """A slot of the server's own and a further one."""
    narrow = MemoryEmbeddingModel(model_name="narrow", dimension=8)
    models = EmbeddingModels(own=MemoryEmbeddingModel(), others=[narrow])
    return Embeddings(models=models, tokenizer=MemoryTokenizer())


async def test_texts_are_embedded_for_the_own_slot_unless_another_is_named(embeddings: Embeddings) -> None:
    """In their order, with the slot, its model, and how many tokens they have."""
    assert embeddings.model_names == ["words", "narrow"]
    own = await embeddings.embed(["zebras graze", "ships"])
    assert (own.model_name, own.dimension, own.tokens) == ("words", 64, 3)
    narrow = await embeddings.embed(["zebras graze"], model_name="narrow")
    assert (narrow.model_name, narrow.identity) == ("narrow", "hashed-words/8/256")
    assert [len(vector) for vector in [*own.vectors, *narrow.vectors]] == [64, 64, 8]
    assert math.hypot(*narrow.vectors[0]) == pytest.approx(1.0)


@pytest.mark.parametrize(
    "texts",
    [
        [],
        [""],
        ["a", " \t"],
        ["a"] * (MAX_TEXTS + 1),
        ["a" * (MAX_TEXT_CHARACTERS + 1)],
        ["a" * MAX_TEXT_CHARACTERS] * (MAX_CHARACTERS // MAX_TEXT_CHARACTERS + 1),
    ],
)
async def test_texts_that_cannot_be_embedded_are_refused(embeddings: Embeddings, texts: list[str]) -> None:
    """None, empty ones, too many, too long ones."""
    with pytest.raises(InvalidTexts):
        await embeddings.embed(texts)


async def test_a_slot_without_a_model_is_not_found(embeddings: Embeddings) -> None:
    """And the error says which there are."""
    with pytest.raises(EmbeddingSlotNotFound, match="'wide'; there is: words, narrow"):
        await embeddings.embed(["a"], model_name="wide")
