"""Two rankings made one."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.match import Candidate
from domain.retrieval.fusion import Fused, InvalidFusion, linear_fusion, reciprocal_rank_fusion

Fuse = Callable[[Mapping[str, Sequence[Candidate]], Mapping[str, float]], Sequence[Fused]]

scores = st.floats(-100, 100).map(lambda score: round(score, 3))


def side(found: Mapping[int, float]) -> Sequence[Candidate]:
    order = sorted(found, key=lambda key: (-found[key], key))
    return [Candidate(segment_id=UUID(int=key), score=found[key]) for key in order]


sides = st.dictionaries(st.integers(0, 20), scores, max_size=12).map(side)
weights = st.floats(0.0, 10.0)


def both(semantic: Sequence[Candidate], keyword: Sequence[Candidate]) -> Mapping[str, Sequence[Candidate]]:
    return {"semantic": semantic, "keyword": keyword}


def keys(fused: Sequence[Fused]) -> list[int]:
    return [one.segment_id.int for one in fused]


@given(sides, sides, weights, weights, st.floats(0, 100))
def test_rrf_adds_what_each_side_gives(
    semantic: Sequence[Candidate], keyword: Sequence[Candidate], a: float, b: float, k: float
) -> None:
    """The weight over k plus the rank, and 0 for a side that did not find it."""
    fused = reciprocal_rank_fusion(both(semantic, keyword), {"semantic": a, "keyword": b}, k=k)
    for one in fused:
        given_by = {"semantic": a, "keyword": b}
        expected = sum(given_by[name] / (k + rank) for name, rank in one.ranks.items())
        assert one.score == pytest.approx(expected)
        for name, rank in one.ranks.items():
            candidate = both(semantic, keyword)[name][rank - 1]
            assert (candidate.segment_id, candidate.score) == (one.segment_id, one.components[name])


@given(sides, sides, weights)
def test_linear_fusion_is_a_weighted_mean_of_stretched_scores(
    semantic: Sequence[Candidate], keyword: Sequence[Candidate], a: float
) -> None:
    """From 0 at a side's worst to 1 at its best."""
    fused = linear_fusion(both(semantic, keyword), {"semantic": a, "keyword": 1.0})
    found = both(semantic, keyword)
    for one in fused:
        expected = 0.0
        for name, score in one.components.items():
            low, high = found[name][-1].score, found[name][0].score
            share = (a if name == "semantic" else 1.0) / (a + 1.0)
            expected += share * ((score - low) / (high - low) if high > low else 1.0)
        assert one.score == pytest.approx(expected)
        assert -1e-9 <= one.score <= 1 + 1e-9


@pytest.mark.parametrize("fuse", [reciprocal_rank_fusion, linear_fusion])
@given(semantic=sides, keyword=sides)
def test_every_segment_comes_once_in_a_settled_order(
    fuse: Fuse, semantic: Sequence[Candidate], keyword: Sequence[Candidate]
) -> None:
    """The best first, ties by id, whichever side is named first."""
    fused = fuse(both(semantic, keyword), {})
    found = {candidate.segment_id for candidate in [*semantic, *keyword]}
    assert {one.segment_id for one in fused} == found
    assert len(fused) == len(found)
    order = [(-one.score, one.segment_id) for one in fused]
    assert order == sorted(order)
    assert fuse({"keyword": keyword, "semantic": semantic}, {}) == fused


@pytest.mark.parametrize("fuse", [reciprocal_rank_fusion, linear_fusion])
@given(semantic=sides, keyword=sides, most=st.integers(0, 25))
def test_the_best_are_the_front_of_all(
    fuse: Callable[..., Sequence[Fused]],
    semantic: Sequence[Candidate],
    keyword: Sequence[Candidate],
    most: int,
) -> None:
    """With the scores, components and ranks that they have among all."""
    assert fuse(both(semantic, keyword), {}, most=most) == fuse(both(semantic, keyword), {})[:most]


@pytest.mark.parametrize("fuse", [reciprocal_rank_fusion, linear_fusion])
@given(semantic=sides)
def test_one_side_alone_keeps_its_order(fuse: Fuse, semantic: Sequence[Candidate]) -> None:
    """Fusing with nothing changes nothing but the scores; equal ones go by id."""
    assert keys(fuse(both(semantic, []), {})) == keys(
        [Fused(segment_id=c.segment_id, score=0, components={}, ranks={}) for c in semantic]
    )


def test_keyword_only_hits_do_not_outrank_the_best_of_meaning() -> None:
    """A side that did not find a segment adds nothing for it, not a rank by default."""
    semantic = side({1: 0.9, 2: 0.5, 9: 0.1})
    keyword = side({2: 7.0, 3: 6.0, 4: 5.0})
    assert keys(reciprocal_rank_fusion(both(semantic, keyword), {}))[:2] == [2, 1]
    assert keys(linear_fusion(both(semantic, keyword), {"semantic": 2.0, "keyword": 1.0}))[0] in {1, 2}


@pytest.mark.parametrize("weight", [-1.0, float("nan"), float("inf")])
def test_weights_are_finite_and_not_negative(weight: float) -> None:
    """And so is the constant of reciprocal rank fusion."""
    with pytest.raises(InvalidFusion):
        linear_fusion(both([], []), {"semantic": weight})
    with pytest.raises(InvalidFusion):
        reciprocal_rank_fusion(both([], []), {}, k=weight)


def test_weights_of_nothing_give_scores_of_nothing() -> None:
    """No division by their sum."""
    fused = linear_fusion(both(side({1: 1.0}), []), {"semantic": 0.0, "keyword": 0.0})
    assert [one.score for one in fused] == [0.0]
