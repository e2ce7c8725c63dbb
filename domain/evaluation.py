"""How good a ranking is, given graded judgements: the measures of TREC and BEIR.

A ranking is a sequence of distinct document ids, the best first. Judgements map document ids to grades; a document
without one, or with a grade of 0 or less, is not relevant. A query without relevant documents has no measure.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Measures:
    """One query's or one run's measures, each in [0, 1]."""

    ndcg: float
    average_precision: float
    recall: float


def measures(
    ranking: Sequence[str], judgements: Mapping[str, int], *, ndcg_at: int = 10, recall_at: int = 100
) -> Measures:
    """All three for one query; average precision over the whole ranking given."""
    return Measures(
        ndcg=ndcg(ranking, judgements, at=ndcg_at),
        average_precision=average_precision(ranking, judgements),
        recall=recall(ranking, judgements, at=recall_at),
    )


def mean(found: Sequence[Measures]) -> Measures:
    """The mean of each over queries; 0 for none."""
    count = len(found) or 1
    return Measures(
        ndcg=math.fsum(one.ndcg for one in found) / count,
        average_precision=math.fsum(one.average_precision for one in found) / count,
        recall=math.fsum(one.recall for one in found) / count,
    )


def ndcg(ranking: Sequence[str], judgements: Mapping[str, int], *, at: int = 10) -> float:
    """Discounted gain of the first ``at`` over that of the best possible ranking; the gain is the grade itself.

    The discount is log2(rank + 1). Source: Järvelin and Kekäläinen, TOIS 2002, as computed by trec_eval's ndcg_cut.
    """
    ideal = _discounted(sorted(judgements.values(), reverse=True)[:at])
    return _discounted(judgements.get(document, 0) for document in ranking[:at]) / ideal if ideal else 0.0


def average_precision(ranking: Sequence[str], judgements: Mapping[str, int]) -> float:
    """The mean, over all relevant documents, of the precision at each one's rank; 0 for those not in the ranking."""
    found, total = 0, 0.0
    for rank, document in enumerate(ranking, start=1):
        if judgements.get(document, 0) > 0:
            found += 1
            total += found / rank
    relevant = _relevant(judgements)
    return total / relevant if relevant else 0.0


def recall(ranking: Sequence[str], judgements: Mapping[str, int], *, at: int = 100) -> float:
    """The share of all relevant documents that the first ``at`` hold."""
    relevant = _relevant(judgements)
    found = sum(judgements.get(document, 0) > 0 for document in ranking[:at])
    return found / relevant if relevant else 0.0


def _discounted(grades: Iterable[int]) -> float:
    return math.fsum(max(grade, 0) / math.log2(rank + 1) for rank, grade in enumerate(grades, start=1))


def _relevant(judgements: Mapping[str, int]) -> int:
    return sum(grade > 0 for grade in judgements.values())
