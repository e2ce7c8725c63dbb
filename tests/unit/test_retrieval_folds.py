"""Choosing among ways to rank on some questions and measuring on others."""

from __future__ import annotations

from benchmarks.retrieval_sweep_folds import FOLDS, REPEATS, cross_validated


def test_the_better_way_is_chosen_and_measured_on_what_it_was_not_chosen_by() -> None:
    """A way that is better on every question is chosen every time."""
    found = cross_validated({"good": [0.6] * 50, "bad": [0.5] * 50})
    assert found.chosen == {"good": FOLDS * REPEATS}
    assert round(found.unseen, 9) == round(found.best_unseen, 9) == 0.6


def test_luck_does_not_carry_over_to_unseen_questions() -> None:
    """Ways that are each right about one question alone give less on unseen questions than in hindsight."""
    ways = {f"way {lucky}": [float(place == lucky) for place in range(20)] for lucky in range(20)}
    found = cross_validated(ways)
    assert found.best_unseen == 1 / 20
    assert found.unseen < found.best_unseen
