"""Finds segments by meaning, by word, or by both."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from application.embedding_models import EmbeddingModels
from application.ports.embedding_model import EmbeddingModel
from application.ports.reranker import Reranker
from application.ports.segment_index import SegmentIndex
from application.search_ranking import Ranking
from application.search_request import (
    DEFAULT_CANDIDATES,
    DEFAULT_FUSION,
    DEFAULT_WEIGHTS,
    MAX_DEPTH,
    MAX_LIMIT,
    MAX_QUERY_CHARACTERS,
    InvalidSearch,
    SearchRequest,
)
from application.search_second_stage import SecondStage
from domain.language import STEMMED_LANGUAGES
from domain.match import Match, SearchMode
from domain.retrieval.fusion import RRF_K, Fusion

__all__ = [
    "DEFAULT_CANDIDATES",
    "DEFAULT_FUSION",
    "DEFAULT_WEIGHTS",
    "MAX_DEPTH",
    "MAX_LIMIT",
    "MAX_QUERY_CHARACTERS",
    "InvalidSearch",
    "Search",
    "SearchCapabilities",
    "SearchRequest",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchCapabilities:
    """What can be searched, and what holds when nothing is said.

    ``slots`` maps the name of each embedding slot to its number of segments; ``languages`` are those with stemmers;
    ``models`` those that queries can be embedded by; ``reranker`` the name of the one there is.
    """

    slots: Mapping[str, int]
    model_name: str
    dimension: int
    default_threshold: float
    languages: Sequence[str] = STEMMED_LANGUAGES
    modes: Sequence[SearchMode] = tuple(SearchMode)
    fusions: Sequence[Fusion] = tuple(Fusion)
    default_fusion: Fusion = DEFAULT_FUSION
    default_weights: Mapping[str, float] = field(default_factory=lambda: DEFAULT_WEIGHTS)
    default_rrf_k: float = RRF_K
    default_candidates: int = DEFAULT_CANDIDATES
    max_limit: int = MAX_LIMIT
    models: Sequence[EmbeddingModel] = ()
    reranker: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Search:
    """Searches the segments of current document versions; queries are embedded by the model of their slot."""

    index: SegmentIndex
    models: EmbeddingModels
    reranker: Reranker | None = None

    @property
    def model_names(self) -> Sequence[str]:
        """The slots that can be searched, the one that is searched unless another is named first."""
        return list(self.models.by_name)

    async def find(self, request: SearchRequest) -> Sequence[Match]:
        """A page of the matches, the best first.

        A semantic match's score is its cosine similarity, a keyword match's its BM25 score, that of a hybrid one and
        of one in several slots what the fusion gives, that of a reranked one what the reranker says.
        Raises EmbeddingSlotNotFound, RerankerNotConfigured, Unavailable.
        """
        models = self._models(request)
        stage = SecondStage(index=self.index, reranker=self.reranker)
        stage.require_possible(request)
        ranked = await Ranking(index=self.index, models=models).ranked(request)
        ranked = await stage.refined(ranked, request, model_name=models[0].model_name)
        page = ranked[request.offset : request.depth]
        query = request.text if _highlights(request) else None
        found = await self.index.fetch([fused.segment_id for fused in page], query=query)
        has_slot = request.mode is not SearchMode.KEYWORD and not request.model_names
        return [
            Match(
                found=found[fused.segment_id],
                score=fused.score,
                components=fused.components,
                ranks=fused.ranks,
                model_name=models[0].model_name if has_slot else None,
            )
            for fused in page
            # It may have been removed since it was ranked.
            if fused.segment_id in found
        ]

    async def sources(self) -> Mapping[str, int]:
        """How many documents each origin holds."""
        return await self.index.origins()

    async def capabilities(self) -> SearchCapabilities:
        """What can be searched here."""
        return SearchCapabilities(
            slots=await self.index.slots(),
            model_name=self.models.own.model_name,
            dimension=self.models.own.dimension,
            default_threshold=self.models.own.default_threshold,
            models=tuple(self.models.by_name.values()),
            reranker=self.reranker.name if self.reranker else None,
        )

    def embedding_model(self, name: str | None = None) -> EmbeddingModel:
        """The model of a slot, the one that is searched unless another is named; raises EmbeddingSlotNotFound."""
        return self.models.named(name)

    def _models(self, request: SearchRequest) -> Sequence[EmbeddingModel]:
        named: Sequence[str | None] = request.model_names or [request.model_name]
        return [self.models.named(name) for name in named]


def _highlights(request: SearchRequest) -> bool:
    if request.is_highlighted is None:
        return request.mode is not SearchMode.SEMANTIC
    return request.is_highlighted
