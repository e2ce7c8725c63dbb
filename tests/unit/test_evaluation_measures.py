"""The measures of a ranking against figures worked out by hand."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.evaluation import Measures, average_precision, mean, measures, ndcg, recall

GRADES = {"a": 3, "b": 1, "c": 0, "d": 2, "e": -1}


def test_ndcg_takes_grades_as_gains_and_discounts_by_log2() -> None:
    """3 at rank 2 and 1 at rank 3, over 3, 2 and 1 at ranks 1, 2 and 3."""
    got = 3 / math.log2(3) + 1 / math.log2(4)
    best = 3 / math.log2(2) + 2 / math.log2(3) + 1 / math.log2(4)
    assert ndcg(["x", "a", "b", "e"], GRADES) == pytest.approx(got / best)
    assert ndcg(["x", "a", "b"], GRADES, at=1) == 0.0


def test_average_precision_counts_what_was_not_found() -> None:
    """Relevant at ranks 1 and 3, of three: (1/1 + 2/3 + 0) / 3."""
    assert average_precision(["a", "x", "b", "c"], GRADES) == pytest.approx((1 + 2 / 3) / 3)


def test_recall_is_the_share_of_the_relevant() -> None:
    """Cut where it is told."""
    assert recall(["x", "a", "c", "b"], GRADES) == pytest.approx(2 / 3)
    assert recall(["x", "a", "c", "b"], GRADES, at=2) == pytest.approx(1 / 3)


def test_without_relevant_documents_there_is_nothing_to_measure() -> None:
    """All are 0, and so is the mean of none."""
    nothing = Measures(ndcg=0.0, average_precision=0.0, recall=0.0)
    assert measures(["a"], {"a": 0}) == nothing
    assert mean([]) == nothing


@given(st.dictionaries(st.sampled_from("abcdefghijkl"), st.integers(0, 4)), st.permutations("abcdefghijkl"))
def test_the_best_ranking_measures_one_and_no_other_more(grades: dict[str, int], ranking: list[str]) -> None:
    """Provided something is relevant."""
    best = measures(sorted(ranking, key=lambda document: -grades.get(document, 0)), grades)
    found = measures(ranking, grades)
    for name in ("ndcg", "average_precision", "recall"):
        assert getattr(best, name) == pytest.approx(1.0 if any(grades.values()) else 0.0)
        assert 0 <= getattr(found, name) <= getattr(best, name) + 1e-9
