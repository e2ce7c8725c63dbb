"""Makes one ranking of two: what semantic and keyword search found."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import accumulate
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
    sides: Mapping[str, Sequence[Candidate]], weights: Mapping[str, float], *, k: float = RRF_K
) -> Sequence[Fused]:
    """Σ weight / (k + rank) over the sides that found the segment; a side that did not adds 0.

    Each side comes best first. Ties go by segment id. A side without a weight counts 1.
    Source: Cormack, Clarke and Büttcher, "Reciprocal Rank Fusion outperforms Condorcet", SIGIR 2009.
    """
    if not 0 <= k < float("inf"):
        raise InvalidFusion("the constant of reciprocal rank fusion is a finite number from 0 up")

    def contributions(candidates: Sequence[Candidate]) -> Iterable[float]:
        return (1.0 / (k + rank) for rank in range(1, len(candidates) + 1))

    return _fused(sides, _checked(weights), contributions)


def linear_fusion(sides: Mapping[str, Sequence[Candidate]], weights: Mapping[str, float]) -> Sequence[Fused]:
    """The weighted mean of each side's scores, stretched from 0 at its worst candidate to 1 at its best (min-max).

    A side that did not find the segment adds 0; candidates of one side that all score the same get 1 each.
    Ties go by segment id. A side without a weight counts 1. Scores lie in [0, 1].
    Source: Bruch, Gai and Ingber, "An Analysis of Fusion Functions for Hybrid Retrieval", TOIS 2023.
    """
    checked = _checked(weights)
    total = sum(checked.get(side, 1.0) for side in sides)
    shares = {side: checked.get(side, 1.0) / total if total else 0.0 for side in sides}
    return _fused(sides, shares, _stretched)


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
) -> Sequence[Fused]:
    scores: dict[UUID, float] = {}
    components: dict[UUID, dict[str, float]] = {}
    ranks: dict[UUID, dict[str, int]] = {}
    for side in sorted(sides):
        weight = weights.get(side, 1.0)
        found = zip(sides[side], contributions(sides[side]), accumulate(1 for _ in sides[side]), strict=True)
        for candidate, contribution, rank in found:
            key = candidate.segment_id
            scores[key] = scores.get(key, 0.0) + weight * contribution
            components.setdefault(key, {})[side] = candidate.score
            ranks.setdefault(key, {})[side] = rank
    order = sorted(scores, key=lambda key: (-scores[key], key))
    return [
        Fused(segment_id=key, score=scores[key], components=components[key], ranks=ranks[key])
        for key in order
    ]
