"""Picks matches that are good and unlike each other."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from operator import mul
from uuid import UUID

from domain.errors import Invalid
from domain.retrieval.fusion import Fused


class InvalidDiversity(Invalid):
    """The balance between relevance and diversity is a number from 0 to 1."""

    code = "diversity_invalid"


def diversified(
    ranked: Sequence[Fused], vectors: Mapping[UUID, Sequence[float]], *, balance: float, most: int
) -> Sequence[Fused]:
    """Up to ``most`` of the ranked, each time the one with the greatest λ · relevance - (1 - λ) · likeness.

    λ is ``balance``: 1 keeps the ranking, 0 looks at nothing but likeness after the first. Relevance is the score,
    stretched from 0 at the worst to 1 at the best; likeness the greatest cosine to one that is picked already, 0 where
    a vector is missing. Ties go to the better ranked.
    Source: Carbonell and Goldstein, "The Use of MMR, Diversity-Based Reranking", SIGIR 1998.
    """
    if not 0.0 <= balance <= 1.0:
        raise InvalidDiversity
    units = {fused.segment_id: _unit(vectors.get(fused.segment_id, ())) for fused in ranked}
    relevance = _stretched(ranked)
    likeness = [0.0] * len(ranked)
    left = list(range(len(ranked)))
    picked: list[Fused] = []
    while left and len(picked) < most:
        best = max(left, key=lambda at: (balance * relevance[at] - (1.0 - balance) * likeness[at], -at))
        left.remove(best)
        picked.append(ranked[best])
        unit = units[ranked[best].segment_id]
        for at in left:
            other = units[ranked[at].segment_id]
            cosine = sum(map(mul, unit, other)) if len(unit) == len(other) else 0.0
            likeness[at] = cosine if len(picked) == 1 else max(likeness[at], cosine)
    return picked


def _stretched(ranked: Sequence[Fused]) -> Sequence[float]:
    scores = [fused.score for fused in ranked]
    lowest, spread = min(scores, default=0.0), max(scores, default=0.0) - min(scores, default=0.0)
    return [(score - lowest) / spread if spread else 1.0 for score in scores]


def _unit(vector: Sequence[float]) -> Sequence[float]:
    length = math.hypot(*vector)
    return [number / length for number in vector] if length else ()
