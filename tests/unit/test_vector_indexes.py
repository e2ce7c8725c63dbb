"""Which index a slot of its size should have."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.retrieval.vector_indexes import (
    IndexAction,
    IndexKind,
    IndexThresholds,
    SlotSize,
    VectorIndex,
    advice,
    clusters,
    parameters_for,
)

THRESHOLDS = IndexThresholds()


def slot(vectors: int, dimension: int = 384) -> SlotSize:
    return SlotSize(model_name="s", dimension=dimension, vectors=vectors)


def index(kind: IndexKind, *, is_usable: bool = True, **parameters: int) -> VectorIndex:
    return VectorIndex(
        name="i",
        model_name="s",
        kind=kind,
        parameters=parameters,
        vectors=0,
        size_bytes=0,
        scans=0,
        is_usable=is_usable,
    )


@pytest.mark.parametrize(
    ("vectors", "there_is", "expected"),
    [
        (19_999, None, IndexAction.KEEP),
        (20_000, None, IndexAction.CREATE),
        (20_000, index(IndexKind.HNSW, m=16), IndexAction.KEEP),
        (20_000, index(IndexKind.HNSW, is_usable=False), IndexAction.REBUILD),
        (50_000, index(IndexKind.IVFFLAT, lists=50), IndexAction.KEEP),
        (50_000, index(IndexKind.IVFFLAT, lists=10), IndexAction.REBUILD),
        (50_000, index(IndexKind.IVFFLAT, lists=500), IndexAction.REBUILD),
        (100_000, index(IndexKind.IVFFLAT, lists=100), IndexAction.UPGRADE),
    ],
)
def test_advice_goes_by_size(vectors: int, there_is: VectorIndex | None, expected: IndexAction) -> None:
    given_advice = advice(slot(vectors), there_is, THRESHOLDS)
    assert given_advice.action is expected
    assert given_advice.reason


def test_what_cannot_be_indexed_is_left_alone() -> None:
    assert advice(slot(50_000, dimension=4001), None, THRESHOLDS).action is IndexAction.KEEP


@given(st.integers(0, 10_000_000))
def test_what_is_built_as_advised_is_kept(vectors: int) -> None:
    chosen = parameters_for(IndexKind.IVFFLAT, {}, vectors=vectors)
    assert 1 <= clusters(vectors) <= 32_768
    action = advice(slot(vectors), index(IndexKind.IVFFLAT, lists=chosen["lists"]), THRESHOLDS).action
    assert action is (IndexAction.UPGRADE if vectors >= 100_000 else IndexAction.KEEP)
