"""Which ways to rank are best on questions that had no part in the choice."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean

FOLDS = 5
REPEATS = 20
SEED = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class CrossValidated:
    """What choosing the best way on four fifths of the questions gives on the other fifth, over many cuts.

    ``chosen`` counts how often each way was; ``unseen`` is the mean of what the chosen ones give on questions they were
    not chosen by, ``best_unseen`` what the way that is best in hindsight gives, and ``fixed`` what each way always gives.
    """

    chosen: Mapping[str, int]
    unseen: float
    best_unseen: float
    fixed: Mapping[str, float]


def cross_validated(scores: Mapping[str, Sequence[float]]) -> CrossValidated:
    """Choose among ways by their scores, one score for each question, always the same questions in order."""
    count = len(next(iter(scores.values())))
    chosen: dict[str, int] = dict.fromkeys(scores, 0)
    unseen: list[float] = []
    for held_out in _folds(count):
        seen = [place for place in range(count) if place not in held_out]
        best = max(scores, key=lambda way: fmean(scores[way][place] for place in seen))
        chosen[best] += 1
        unseen.append(fmean(scores[best][place] for place in held_out))
    fixed = {way: fmean(given) for way, given in scores.items()}
    return CrossValidated(
        chosen={way: times for way, times in chosen.items() if times},
        unseen=fmean(unseen),
        best_unseen=max(fixed.values()),
        fixed=fixed,
    )


def _folds(count: int) -> Sequence[frozenset[int]]:
    """Every fold of every repeat; the same ones each time."""
    random_ = random.Random(SEED)
    folds: list[frozenset[int]] = []
    for _ in range(REPEATS):
        order = random_.sample(range(count), count)
        folds += [frozenset(order[start::FOLDS]) for start in range(FOLDS)]
    return folds
