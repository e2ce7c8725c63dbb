"""The second stage of a search: the best of a ranking, read anew by a reranker and chosen to be diverse."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace

from application.ports.reranker import Reranker
from application.ports.segment_index import SegmentIndex
from application.search_request import DIVERSIFIED, InvalidSearch, SearchRequest
from domain.retrieval.diversity import diversified
from domain.retrieval.errors import RerankerNotConfigured
from domain.retrieval.fusion import Fused

RERANK = "rerank"
"""The side that a reranker's scores and ranks stand under."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SecondStage:
    """Changes nothing about a search that asks for neither."""

    index: SegmentIndex
    reranker: Reranker | None

    def require_possible(self, request: SearchRequest) -> None:
        """Raise InvalidSearch or RerankerNotConfigured for what cannot be had, before anything is searched."""
        if request.mmr_lambda is not None and request.depth > DIVERSIFIED + 1:
            raise InvalidSearch(
                f"diverse matches are chosen from the {DIVERSIFIED} best: page no further down"
            )
        if request.is_reranked and self.reranker is None:
            raise RerankerNotConfigured

    async def refined(
        self, ranked: Sequence[Fused], request: SearchRequest, *, model_name: str
    ) -> Sequence[Fused]:
        """The ranking with its best reranked, then diversified, as the request says."""
        if request.is_reranked and self.reranker is not None:
            ranked = await self._reranked(self.reranker, ranked, request)
        if request.mmr_lambda is not None:
            ranked = await self._diversified(ranked, request.mmr_lambda, request.depth, model_name)
        return ranked

    async def _reranked(
        self, reranker: Reranker, ranked: Sequence[Fused], request: SearchRequest
    ) -> Sequence[Fused]:
        """The best by the reranker's scores; what it has not read keeps its place behind them."""
        found = await self.index.fetch([fused.segment_id for fused in ranked[: request.reranked]])
        read = [fused for fused in ranked[: request.reranked] if fused.segment_id in found]
        texts = [found[fused.segment_id].segment.text for fused in read]
        scores = await reranker.rerank(request.text, texts)
        order = sorted(zip(scores, read, strict=True), key=lambda pair: -pair[0])
        best = [
            replace(
                fused,
                score=score,
                components={**fused.components, RERANK: score},
                ranks={**fused.ranks, RERANK: rank},
            )
            for rank, (score, fused) in enumerate(order, start=1)
        ]
        return [*best, *ranked[request.reranked :]]

    async def _diversified(
        self, ranked: Sequence[Fused], balance: float, most: int, model_name: str
    ) -> Sequence[Fused]:
        best = _on_one_scale(ranked[:DIVERSIFIED])
        vectors = await self.index.vectors([fused.segment_id for fused in best], model_name=model_name)
        return await asyncio.to_thread(diversified, best, vectors, balance=balance, most=most)


def _on_one_scale(ranked: Sequence[Fused]) -> Sequence[Fused]:
    """What a reranker has read, if it has read any: its scores and those of a fusion cannot be compared."""
    read = [fused for fused in ranked if RERANK in fused.components]
    return read or ranked
