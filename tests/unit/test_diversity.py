"""Maximal marginal relevance: what it picks, and what it leaves as it is."""

from __future__ import annotations

from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.retrieval.diversity import InvalidDiversity, diversified
from domain.retrieval.fusion import Fused

IDS = [UUID(int=number) for number in range(12)]


def ranking(*scores: float) -> list[Fused]:
    return [
        Fused(segment_id=key, score=score, components={}, ranks={})
        for key, score in zip(IDS, scores, strict=False)
    ]


def test_a_twin_comes_after_what_is_different() -> None:
    ranked = ranking(1.0, 0.99, 0.5, 0.0)
    vectors = {IDS[0]: (1.0, 0.0), IDS[1]: (2.0, 0.0), IDS[2]: (0.0, 1.0), IDS[3]: (0.0, 3.0)}
    picked = diversified(ranked, vectors, balance=0.6, most=3)
    assert [fused.segment_id for fused in picked] == [IDS[0], IDS[2], IDS[1]]
    picked = diversified(ranked, vectors, balance=0.9, most=3)
    assert [fused.segment_id for fused in picked] == [IDS[0], IDS[1], IDS[2]]


def test_what_has_no_vector_is_like_nothing() -> None:
    picked = diversified(ranking(1.0, 0.9, 0.8), {IDS[0]: (1.0,), IDS[1]: (1.0,)}, balance=0.5, most=3)
    assert [fused.segment_id for fused in picked] == [IDS[0], IDS[2], IDS[1]]


@given(
    st.lists(st.floats(-5, 5), max_size=8),
    st.lists(st.tuples(st.floats(-1, 1), st.floats(-1, 1)), min_size=8, max_size=8),
    st.floats(0, 1),
    st.integers(1, 9),
)
def test_it_picks_from_the_ranking_and_each_once(
    scores: list[float], given_vectors: list[tuple[float, float]], balance: float, most: int
) -> None:
    ranked = ranking(*sorted(scores, reverse=True))
    vectors = dict(zip(IDS, given_vectors, strict=False))
    picked = diversified(ranked, vectors, balance=balance, most=most)
    assert len(picked) == min(most, len(ranked))
    assert len({fused.segment_id for fused in picked}) == len(picked)
    assert picked[:1] == ranked[:1]
    assert picked == diversified(ranked, vectors, balance=balance, most=9)[:most]
    assert diversified(ranked, vectors, balance=1.0, most=9) == ranked


def test_a_balance_is_a_share() -> None:
    with pytest.raises(InvalidDiversity):
        diversified([], {}, balance=1.1, most=1)
