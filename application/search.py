"""Finds segments by meaning, by word, or by both."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from application.ports.embedding_model import EmbeddingModel
from application.ports.segment_index import SegmentIndex
from domain.errors import Invalid, NotFound
from domain.language import STEMMED_LANGUAGES
from domain.match import Candidate, Match, SearchFilter, SearchMode
from domain.retrieval.fusion import RRF_K, Fused, Fusion, linear_fusion, reciprocal_rank_fusion

MAX_QUERY_CHARACTERS = 10_000
MAX_LIMIT = 1000
MAX_DEPTH = 10_000
"""How far down a ranking one can page: offset and limit together."""

# Chosen by measurement: docs/explanation/retrieval.md.
DEFAULT_FUSION = Fusion.LINEAR
DEFAULT_WEIGHTS: Mapping[str, float] = {SearchMode.SEMANTIC.value: 0.6, SearchMode.KEYWORD.value: 0.4}
DEFAULT_CANDIDATES = 200

_UNREADABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff]")


class InvalidSearch(Invalid):
    """The search request is not valid."""

    code = "search_invalid"


class EmbeddingSlotNotFound(NotFound):
    """There is no embedding slot of that name to search in."""

    code = "embedding_slot_not_found"


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchRequest:
    """What is looked for, and how.

    ``similarity_threshold`` drops what is less similar (cosine) on the semantic side; None drops nothing.
    ``weights``, ``fusion``, ``rrf_k`` and ``candidates`` (of each side, at least) matter to hybrid search only; a side
    that ``weights`` does not name keeps its default.
    ``model_name`` names the embedding slot, None the model's own.
    Raises InvalidSearch.
    """

    query: str
    mode: SearchMode = SearchMode.HYBRID
    limit: int = 10
    offset: int = 0
    where: SearchFilter = field(default_factory=SearchFilter)
    similarity_threshold: float | None = None
    weights: Mapping[str, float] = field(default_factory=lambda: DEFAULT_WEIGHTS)
    fusion: Fusion = DEFAULT_FUSION
    rrf_k: float = RRF_K
    candidates: int = DEFAULT_CANDIDATES
    model_name: str | None = None

    def __post_init__(self) -> None:
        if not self.text:
            raise InvalidSearch("the query is empty")
        if len(self.query) > MAX_QUERY_CHARACTERS:
            raise InvalidSearch(f"the query is longer than {MAX_QUERY_CHARACTERS} characters")
        if not 1 <= self.limit <= MAX_LIMIT:
            raise InvalidSearch(f"the limit is a number from 1 to {MAX_LIMIT}")
        if not 0 <= self.offset <= MAX_DEPTH - self.limit:
            raise InvalidSearch(f"the offset is a number from 0, at most {MAX_DEPTH} together with the limit")
        if not 1 <= self.candidates <= MAX_LIMIT:
            raise InvalidSearch(f"the number of candidates is from 1 to {MAX_LIMIT}")
        threshold = self.similarity_threshold
        if threshold is not None and not -1.0 <= threshold <= 1.0:
            raise InvalidSearch("the similarity threshold is a number from -1 to 1")
        _require_valid_weights(self.weights)
        if not (math.isfinite(self.rrf_k) and self.rrf_k >= 0):
            raise InvalidSearch("the constant of reciprocal rank fusion is a finite number from 0 up")

    @property
    def text(self) -> str:
        """The query without what no model and no database reads: control characters and lone surrogates."""
        return _UNREADABLE.sub(" ", self.query).strip()

    @property
    def depth(self) -> int:
        """How many of the best must be known to cut the page out of."""
        return self.offset + self.limit


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchCapabilities:
    """What can be searched, and what holds when nothing is said.

    ``slots`` maps the name of each embedding slot to its number of segments; ``languages`` are those with stemmers.
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Search:
    """Searches the segments of current document versions; queries are embedded by the model of their slot."""

    index: SegmentIndex
    model: EmbeddingModel

    async def find(self, request: SearchRequest) -> Sequence[Match]:
        """A page of the matches, the best first; raises EmbeddingSlotNotFound, Unavailable.

        A semantic match's score is its cosine similarity, a keyword match's its BM25 score, a hybrid one's what the
        fusion gives.
        """
        model_name = self._slot(request)
        ranked = await self._ranked(request)
        page = ranked[request.offset : request.depth]
        found = await self.index.fetch([fused.segment_id for fused in page])
        return [
            Match(
                found=found[fused.segment_id],
                score=fused.score,
                components=fused.components,
                ranks=fused.ranks,
                model_name=None if request.mode is SearchMode.KEYWORD else model_name,
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
            model_name=self.model.model_name,
            dimension=self.model.dimension,
            default_threshold=self.model.default_threshold,
        )

    def _slot(self, request: SearchRequest) -> str:
        own = self.model.model_name
        if request.model_name not in {None, own}:
            raise EmbeddingSlotNotFound(f"there is no embedding slot {request.model_name!r}; there is: {own}")
        return own

    async def _ranked(self, request: SearchRequest) -> Sequence[Fused]:
        if request.mode is not SearchMode.HYBRID:
            side = self._semantic if request.mode is SearchMode.SEMANTIC else self._keyword
            return _one_side(request.mode, await side(request, request.depth))
        depth = max(request.candidates, request.depth)
        sides = {
            SearchMode.SEMANTIC.value: await self._semantic(request, depth),
            SearchMode.KEYWORD.value: await self._keyword(request, depth),
        }
        weights = {**DEFAULT_WEIGHTS, **request.weights}
        if request.fusion is Fusion.RRF:
            return reciprocal_rank_fusion(sides, weights, k=request.rrf_k)
        return linear_fusion(sides, weights)

    async def _semantic(self, request: SearchRequest, depth: int) -> Sequence[Candidate]:
        (vector,) = await self.model.embed([request.text])
        candidates = await self.index.semantic(
            vector, model_name=self.model.model_name, limit=depth, where=request.where
        )
        threshold = request.similarity_threshold
        return [candidate for candidate in candidates if threshold is None or candidate.score >= threshold]

    async def _keyword(self, request: SearchRequest, depth: int) -> Sequence[Candidate]:
        return await self.index.keyword(request.text, limit=depth, where=request.where)


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


def _require_valid_weights(weights: Mapping[str, float]) -> None:
    if unknown := sorted(set(weights) - set(DEFAULT_WEIGHTS)):
        raise InvalidSearch(f"there are weights for semantic and keyword, not for {', '.join(unknown)}")
    if any(not (math.isfinite(weight) and weight >= 0) for weight in weights.values()):
        raise InvalidSearch("a weight is a finite number from 0 up")
    if not any({**DEFAULT_WEIGHTS, **weights}.values()):
        raise InvalidSearch("at least one side has a weight above 0")
