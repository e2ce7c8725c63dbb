"""The parts of the embeddings protocol that are read, and how a request is written."""

from __future__ import annotations

import math
from collections.abc import Sequence

import msgspec

from domain.retrieval.errors import EmbeddingModelRefused, EmbeddingModelUnavailable


class Embedded(msgspec.Struct, frozen=True):
    """The vector of the text at ``index`` among those sent; some servers leave the index out."""

    embedding: list[float]
    index: int | None = None


class Embeddings(msgspec.Struct, frozen=True):
    """A whole answer."""

    data: list[Embedded]


def request_body(texts: Sequence[str], *, model: str) -> bytes:
    """The request, in JSON."""
    return msgspec.json.encode({"model": model, "input": list(texts), "encoding_format": "float"})


def read_vectors(content: bytes, *, count: int, dimension: int) -> Sequence[Sequence[float]]:
    """A vector of unit length for each text, in their order.

    Raises EmbeddingModelUnavailable for what is no such answer, EmbeddingModelRefused for vectors of another dimension.
    """
    try:
        data = msgspec.json.decode(content, type=Embeddings).data
    except (msgspec.MsgspecError, UnicodeError, RecursionError) as error:
        raise EmbeddingModelUnavailable(f"the embedding model's answer cannot be read: {error}") from error
    vectors = {
        position if one.index is None else one.index: one.embedding for position, one in enumerate(data)
    }
    if len(data) != count or sorted(vectors) != list(range(count)):
        raise EmbeddingModelUnavailable(f"the embedding model was given {count} texts and embedded others")
    return [_unit(vectors[position], dimension) for position in range(count)]


def _unit(vector: Sequence[float], dimension: int) -> Sequence[float]:
    if len(vector) != dimension:
        raise EmbeddingModelRefused(
            f"the embedding model's vectors have {len(vector)} dimensions, and its slot is set to {dimension}"
        )
    length = math.hypot(*vector)
    if not length or not math.isfinite(length):
        raise EmbeddingModelUnavailable("the embedding model answered a vector without a direction")
    return [number / length for number in vector]
