"""The behaviour that ``application.ports.embedding_model`` promises, for every embedding model."""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from adapters.memory.models import MemoryEmbeddingModel
from adapters.model_servers.embeddings import OpenAiEmbeddingModel
from adapters.models.minilm import MiniLmEmbeddingModel
from application.ports.embedding_model import EmbeddingModel
from tests.model_servers import model_server

# Reading the weights takes longer than using them, so the tests of one model share it, and with it their loop.
pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest.fixture(scope="session")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("converted")


MODELS = [
    pytest.param("minilm int8", marks=pytest.mark.slow),
    pytest.param("minilm float32", marks=pytest.mark.slow),
    "openai",
    "memory",
]


@pytest_asyncio.fixture(scope="module", loop_scope="module", params=MODELS)
async def model(request: pytest.FixtureRequest, cache: Path) -> AsyncIterator[EmbeddingModel]:
    if request.param == "memory":
        yield MemoryEmbeddingModel()
        return
    if request.param == "openai":
        async with (
            model_server("/v1/embeddings", embedded) as server,
            OpenAiEmbeddingModel(
                f"{server.url}/v1", model="hashed", dimension=64, batch=5, max_characters=1_000
            ) as opened,
        ):
            yield opened
        return
    async with MiniLmEmbeddingModel(cache, compute_type=request.param.split()[1]) as opened:
        yield opened


def embedded(body: dict[str, Any]) -> Any:
    """What a server answers, not of unit length and the last text first."""
    model = MemoryEmbeddingModel()
    vectors = [[3 * number for number in model._vector(text)] for text in body["input"]]
    return {"data": [{"index": at, "embedding": vector} for at, vector in reversed(list(enumerate(vectors)))]}


def similarity(one: Sequence[float], other: Sequence[float]) -> float:
    return math.fsum(a * b for a, b in zip(one, other, strict=True))


async def test_every_text_gets_a_vector_of_unit_length_in_order(model: EmbeddingModel) -> None:
    """Whatever order the texts go through the model in."""
    texts = ["a cat", "the wing of an aeroplane in supersonic flow " * 9, "a dog", "lift and drag of a wing"]
    vectors = await model.embed(texts)
    assert [len(vector) for vector in vectors] == [model.dimension] * 4
    assert [math.hypot(*vector) for vector in vectors] == pytest.approx([1.0] * 4, abs=1e-5)
    for text, vector in zip(texts, vectors, strict=True):
        assert similarity((await model.embed([text]))[0], vector) == pytest.approx(1.0, abs=0.02)


async def test_no_texts_give_no_vectors(model: EmbeddingModel) -> None:
    assert list(await model.embed([])) == []


async def test_a_text_with_the_same_words_is_nearer_than_one_without(model: EmbeddingModel) -> None:
    query, near, far = await model.embed(
        ["boundary layer flow", "flow in a boundary layer", "bake the bread"]
    )
    assert similarity(query, near) > similarity(query, far) + 0.2


async def test_odd_texts_have_vectors_too(model: EmbeddingModel) -> None:
    """Nothing, white space, half a surrogate pair, a NUL, other scripts, one endless word."""
    texts = ["", " \n\t", "\ud800", "a\x00b", "東京タワー", "🙂" * 50, "x" * 10_000]
    for vector in await model.embed(texts):
        assert math.hypot(*vector) == pytest.approx(1.0, abs=1e-5)


async def test_what_is_beyond_the_limit_is_cut(model: EmbeddingModel) -> None:
    """Not an error, and not an average over the whole."""
    start = "wing " * 300
    one, other = await model.embed([start + "bread " * 5_000, start + "rivers " * 5_000])
    assert similarity(one, other) == pytest.approx(1.0, abs=1e-4)


async def test_concurrent_calls_each_get_their_own(model: EmbeddingModel) -> None:
    texts = [f"number {number} " + "word " * number for number in range(12)]
    alone = [(await model.embed([text]))[0] for text in texts]
    together = await asyncio.gather(*(model.embed([text]) for text in texts))
    for one, (other,) in zip(alone, together, strict=True):
        assert similarity(one, other) == pytest.approx(1.0, abs=0.01)


async def test_a_cancelled_call_does_not_harm_the_next(model: EmbeddingModel) -> None:
    doomed = asyncio.create_task(_embedded(model, ["word " * 200] * 40))
    await asyncio.sleep(0.01)
    doomed.cancel()
    await asyncio.gather(doomed, return_exceptions=True)
    assert len(await model.embed(["still here"])) == 1


async def _embedded(model: EmbeddingModel, texts: Sequence[str]) -> Sequence[Sequence[float]]:
    return await model.embed(texts)


async def test_it_says_which_slot_and_which_vectors(model: EmbeddingModel) -> None:
    assert model.model_name
    assert model.identity
    assert 0.0 <= model.default_threshold < 1.0
