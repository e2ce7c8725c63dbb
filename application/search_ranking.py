"""The first stage of a search: each side's candidates, made one ranking."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from application.ports.embedding_model import EmbeddingModel
from application.ports.segment_index import LEAST_LOOK, SegmentIndex
from application.search_request import DEFAULT_WEIGHTS, SearchRequest
from domain.match import Candidate, SearchMode
from domain.retrieval.fusion import Fused, Fusion, linear_fusion, reciprocal_rank_fusion


@dataclass(frozen=True, slots=True, kw_only=True)
class Ranking:
    """Asks the sides of a search side by side; the first of the models is that of a search in one slot."""

    index: SegmentIndex
    models: Sequence[EmbeddingModel]

    async def ranked(self, request: SearchRequest) -> Sequence[Fused]:
        """The best candidates, as many as the search may look at, each with its score and rank on every side that found it."""
        if request.model_names:
            return fused(request, await self._slots(request), request.model_weights)
        (model, *_) = self.models
        if request.mode is SearchMode.SEMANTIC:
            one_look = request.most_ranked <= LEAST_LOOK
            looks = [request.most_ranked] if one_look else request.looks
            side = await self._semantic(request, model, looks)
            return _one_side(request.mode, _similar(request, request.mode, side))
        if request.mode is SearchMode.KEYWORD:
            return _one_side(request.mode, await self._keyword(request, request.most_ranked))
        # Words first: theirs is mostly the longer side, and a query is embedded before the other is asked.
        keyword, semantic = await _side_by_side(
            self._keyword(request, request.looks[-1]), self._semantic(request, model, request.looks)
        )
        sides = {SearchMode.SEMANTIC.value: semantic, SearchMode.KEYWORD.value: keyword}
        return fused(request, sides, {**DEFAULT_WEIGHTS, **request.weights})

    async def _slots(self, request: SearchRequest) -> Mapping[str, Sequence[Candidate]]:
        asked = (self._semantic(request, model, request.looks) for model in self.models)
        found = await _side_by_side(*asked)
        return {model.model_name: side for model, side in zip(self.models, found, strict=True)}

    async def _semantic(
        self, request: SearchRequest, model: EmbeddingModel, looks: Sequence[int]
    ) -> Sequence[Candidate]:
        """What each look finds behind what those before it found: an approximate index may find others as it looks deeper."""
        (vector,) = await model.embed([request.text])
        side: Sequence[Candidate] = ()
        for depth in looks:
            candidates = await self.index.semantic(
                vector,
                model_name=model.model_name,
                limit=depth,
                where=request.where,
                model_identity=model.identity,
            )
            side = _behind(side, candidates) if side else candidates
            if len(candidates) < depth:
                break
        return side

    async def _keyword(self, request: SearchRequest, depth: int) -> Sequence[Candidate]:
        return await self.index.keyword(request.text, limit=depth, where=request.where)


async def _side_by_side(
    *sides: Coroutine[Any, Any, Sequence[Candidate]],
) -> Sequence[Sequence[Candidate]]:
    """What each finds; when one fails the others are called off and its error is raised."""
    tasks = [asyncio.ensure_future(side) for side in sides]
    try:
        return await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _behind(first: Sequence[Candidate], then: Sequence[Candidate]) -> Sequence[Candidate]:
    known = {candidate.segment_id for candidate in first}
    return [*first, *(candidate for candidate in then if candidate.segment_id not in known)]


def fused(
    request: SearchRequest, sides: Mapping[str, Sequence[Candidate]], weights: Mapping[str, float]
) -> Sequence[Fused]:
    """One ranking, look by look: what a deeper one adds comes behind what a shallower one ranks.

    So a page shows the same whether or not somebody reads on, and pages neither repeat nor miss anything.
    """
    if len(request.looks) == 1:
        return _fused_once(request, sides, weights, request.most_ranked)
    ranked: dict[UUID, Fused] = {}
    for depth in request.looks:
        seen = {name: side[:depth] for name, side in sides.items()}
        for one in _fused_once(request, seen, weights, None):
            ranked.setdefault(one.segment_id, one)
    return list(ranked.values())


def _fused_once(
    request: SearchRequest,
    sides: Mapping[str, Sequence[Candidate]],
    weights: Mapping[str, float],
    most: int | None,
) -> Sequence[Fused]:
    # Only after the cut: else a nearer one of a deeper look would come to stand among those of a shallower one.
    sides = {name: _similar(request, name, side) for name, side in sides.items()}
    if request.fusion is Fusion.RRF:
        return reciprocal_rank_fusion(sides, weights, k=request.rrf_k, most=most)
    return linear_fusion(sides, weights, most=most)


def _similar(request: SearchRequest, name: str, side: Sequence[Candidate]) -> Sequence[Candidate]:
    """Of a side what is similar enough; words are not compared with the threshold."""
    threshold = request.similarity_threshold
    is_semantic = bool(request.model_names) or name == SearchMode.SEMANTIC.value
    if threshold is None or not is_semantic:
        return side
    return [candidate for candidate in side if candidate.score >= threshold]


def _one_side(mode: SearchMode, candidates: Sequence[Candidate]) -> Sequence[Fused]:
    return [
        Fused(
            segment_id=candidate.segment_id,
            score=candidate.score,
            components={mode.value: candidate.score},
            ranks={mode.value: rank},
        )
        for rank, candidate in enumerate(candidates, start=1)
    ]
