"""Makes one ranking of two: what semantic and keyword search found."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import count
from operator import neg
from uuid import UUID

from domain.errors import Invalid
from domain.match import Candidate

RRF_K = 60


class InvalidFusion(Invalid):
    """The weights or the constant of the fusion are not valid."""

    code = "fusion_invalid"


class Fusion(StrEnum):
    """How two sides become one ranking."""

    RRF = "rrf"
    LINEAR = "linear"


@dataclass(frozen=True, slots=True, kw_only=True)
class Fused:
    """A segment with its fused score and, for each side that found it, that side's score and its rank from 1."""

    segment_id: UUID
    score: float
    components: Mapping[str, float]
    ranks: Mapping[str, int]


def reciprocal_rank_fusion(
    sides: Mapping[str, Sequence[Candidate]],
    weights: Mapping[str, float],
    *,
    k: float = RRF_K,
    most: int | None = None,
) -> Sequence[Fused]:
    """Σ weight / (k + rank) over the sides that found the segment; a side that did not adds 0. The ``most`` best, or all.

    Each side comes best first. Ties go by segment id. A side without a weight counts 1.
    Source: Cormack, Clarke and Büttcher, "Reciprocal Rank Fusion outperforms Condorcet", SIGIR 2009.
    """
    if not 0 <= k < float("inf"):
        raise InvalidFusion("the constant of reciprocal rank fusion is a finite number from 0 up")

    def contributions(candidates: Sequence[Candidate]) -> Iterable[float]:
        return (1.0 / (k + rank) for rank in range(1, len(candidates) + 1))

    return _fused(sides, _checked(weights), contributions, most)


def linear_fusion(
    sides: Mapping[str, Sequence[Candidate]], weights: Mapping[str, float], *, most: int | None = None
) -> Sequence[Fused]:
    """The weighted mean of each side's scores, stretched from 0 at its worst candidate to 1 at its best (min-max).

    A side that did not find the segment adds 0; candidates of one side that all score the same get 1 each.
    Ties go by segment id. A side without a weight counts 1. Scores lie in [0, 1]. The ``most`` best, or all.
    Source: Bruch, Gai and Ingber, "An Analysis of Fusion Functions for Hybrid Retrieval", TOIS 2023.
    """
    checked = _checked(weights)
    total = sum(checked.get(side, 1.0) for side in sides)
    shares = {side: checked.get(side, 1.0) / total if total else 0.0 for side in sides}
    return _fused(sides, shares, _stretched, most)


def _stretched(candidates: Sequence[Candidate]) -> Iterable[float]:
    scores = [candidate.score for candidate in candidates]
    lowest, highest = min(scores, default=0.0), max(scores, default=0.0)
    spread = highest - lowest
    return [(score - lowest) / spread if spread else 1.0 for score in scores]


def _checked(weights: Mapping[str, float]) -> Mapping[str, float]:
    for side, weight in weights.items():
        if not 0 <= weight < float("inf"):
            raise InvalidFusion(f"the weight of {side} is a finite number from 0 up")
    return weights


def _fused(
    sides: Mapping[str, Sequence[Candidate]],
    weights: Mapping[str, float],
    contributions: Callable[[Sequence[Candidate]], Iterable[float]],
    most: int | None,
) -> Sequence[Fused]:
    # Numbers are hashed and compared at a fraction of what UUIDs cost, and sort in the same order.
    numbers = {side: [candidate.segment_id.int for candidate in sides[side]] for side in sorted(sides)}
    scores: dict[int, float] = {}
    for side, found in numbers.items():
        weight = weights.get(side, 1.0)
        for number, contribution in zip(found, contributions(sides[side]), strict=True):
            scores[number] = scores.get(number, 0.0) + weight * contribution
    places = {side: dict(zip(found, count())) for side, found in numbers.items()}
    order = sorted(zip(map(neg, scores.values()), scores, strict=True))[:most]
    return [_placed(number, -negative, sides, places) for negative, number in order]


def _placed(
    number: int,
    score: float,
    sides: Mapping[str, Sequence[Candidate]],
    places: Mapping[str, Mapping[int, int]],
) -> Fused:
    found = {side: place for side, its in places.items() if (place := its.get(number)) is not None}
    candidates = {side: sides[side][place] for side, place in found.items()}
    return Fused(
        segment_id=next(iter(candidates.values())).segment_id,
        score=score,
        components={side: candidate.score for side, candidate in candidates.items()},
        ranks={side: place + 1 for side, place in found.items()},
    )
