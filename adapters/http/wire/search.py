"""Search on the wire."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Annotated, Any
from uuid import UUID

from msgspec import Meta, Struct

from adapters.http.errors import FieldError, RequestNotValid
from application.search import (
    DEFAULT_CANDIDATES,
    DEFAULT_FUSION,
    DEFAULT_WEIGHTS,
    MAX_QUERY_CHARACTERS,
    SearchCapabilities,
    SearchRequest,
)
from domain.match import Match, SearchFilter, SearchMode
from domain.retrieval.filter_parsing import InvalidFilter
from domain.retrieval.fusion import RRF_K, Fusion
from domain.retrieval.search_filters import search_filter

Query = Annotated[str, Meta(min_length=1, max_length=MAX_QUERY_CHARACTERS)]
Limit = Annotated[int, Meta(ge=1, le=1000, description="How many matches to return at most.", examples=[10])]
Offset = Annotated[int, Meta(ge=0, le=9_999, description="How many to pass over.", examples=[0])]
Weight = Annotated[float, Meta(ge=0, le=1_000, examples=[1.0])]


Filters = Annotated[
    dict[str, Any],
    Meta(
        description="What a match must satisfy; see `search.md` for the language.",
        examples=[{"origin": "docs", "metadata.year": {"gte": 2020}}],
    ),
]


class SearchBody(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What to look for.

    `model_name` names the embedding slot, null the server's own. A match of which the semantic similarity (cosine) is
    below `similarity_threshold` is left out; null leaves none out. `mode` matters to `POST /api/v1/search` alone.
    """

    query: Query
    limit: Limit = 10
    offset: Offset = 0
    mode: SearchMode | None = None
    model_name: str | None = None
    similarity_threshold: Annotated[float, Meta(ge=-1, le=1, examples=[0.3])] | None = None
    filters: Filters | None = None


class FusedSearchBody(SearchBody, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What to look for by meaning and by words, and how to make one ranking of two.

    `language` restricts the search to documents of that language, whose stemming their words follow.
    """

    fusion: Fusion = DEFAULT_FUSION
    vector_weight: Weight = DEFAULT_WEIGHTS["semantic"]
    keyword_weight: Weight = DEFAULT_WEIGHTS["keyword"]
    rrf_k: Annotated[float, Meta(ge=0, le=1_000_000, examples=[60])] = RRF_K
    max_candidates: Annotated[int, Meta(ge=1, le=1000, examples=[200])] = DEFAULT_CANDIDATES
    language: str | None = None


class MatchResponse(Struct, frozen=True, kw_only=True):
    """A segment that was found, where it is from, and how its score came about.

    `components` holds the score of each side that found it, `ranks` its rank there from 1; `start` and `end` are
    character offsets into the document's Markdown; `page` counts from 1.
    """

    score: float
    components: dict[str, float]
    ranks: dict[str, int]
    text: str
    segment_id: UUID
    document_id: str
    title: str
    url: str
    heading_path: list[str]
    start: int
    end: int
    page: int | None
    origin: str
    language: str
    object_key: str | None
    execution_id: UUID | None
    lineage_id: UUID | None
    model_name: str | None


class SearchResponse(Struct, frozen=True, kw_only=True):
    """The matches, the best first. A ranking has no end: `total` counts up to the end of this page, and one more if
    `has_more`.
    """

    results: list[MatchResponse]
    total: int
    limit: int
    offset: int
    has_more: bool
    query: str
    mode: str
    model_name: str | None
    took_ms: float


class SourceResponse(Struct, frozen=True, kw_only=True):
    """An origin with the number of its documents."""

    origin: str
    documents: int


class SourcesResponse(Struct, frozen=True, kw_only=True):
    """Every origin that is indexed."""

    sources: list[SourceResponse]
    total: int


class SlotResponse(Struct, frozen=True, kw_only=True):
    """An embedding slot with the number of its segments."""

    model_name: str
    segments: int


class CapabilitiesResponse(Struct, frozen=True, kw_only=True):
    """What can be searched here, and what holds when nothing is said."""

    modes: list[str]
    fusions: list[str]
    languages: list[str]
    slots: list[SlotResponse]
    model_name: str
    dimension: int
    default_similarity_threshold: float
    default_fusion: str
    default_weights: dict[str, float]
    default_rrf_k: float
    default_max_candidates: int
    max_limit: int


def search_request(body: SearchBody, mode: SearchMode, *, fusion: Fusion | None = None) -> SearchRequest:
    """What the use-case is asked; raises InvalidSearch."""
    where = _filter(body.filters)
    if not isinstance(body, FusedSearchBody):
        return SearchRequest(
            query=body.query,
            mode=mode,
            limit=body.limit,
            offset=body.offset,
            where=where,
            similarity_threshold=body.similarity_threshold,
            model_name=body.model_name,
        )
    return SearchRequest(
        query=body.query,
        mode=mode,
        limit=body.limit,
        offset=body.offset,
        where=_filter(body.filters, language=body.language),
        similarity_threshold=body.similarity_threshold,
        model_name=body.model_name,
        weights={"semantic": body.vector_weight, "keyword": body.keyword_weight},
        fusion=fusion or body.fusion,
        rrf_k=body.rrf_k,
        candidates=body.max_candidates,
    )


def search_response(
    matches: Sequence[Match], body: SearchBody, *, mode: SearchMode, took_ms: float
) -> SearchResponse:
    """The answer; `matches` may hold one more than the limit, which tells that there is more."""
    has_more = len(matches) > body.limit
    page = matches[: body.limit]
    return SearchResponse(
        results=[_match(match) for match in page],
        total=body.offset + len(matches) if matches else 0,
        limit=body.limit,
        offset=body.offset,
        has_more=has_more,
        query=body.query,
        mode=mode.value,
        model_name=next((match.model_name for match in page if match.model_name), body.model_name),
        took_ms=round(took_ms, 3),
    )


def sources_response(origins: Mapping[str, int]) -> SourcesResponse:
    """The origins as they travel, by name."""
    sources = [SourceResponse(origin=origin, documents=count) for origin, count in sorted(origins.items())]
    return SourcesResponse(sources=sources, total=len(sources))


def capabilities_response(found: SearchCapabilities) -> CapabilitiesResponse:
    """The capabilities as they travel."""
    return CapabilitiesResponse(
        modes=[mode.value for mode in found.modes],
        fusions=[fusion.value for fusion in found.fusions],
        languages=sorted(found.languages),
        slots=[SlotResponse(model_name=name, segments=count) for name, count in sorted(found.slots.items())],
        model_name=found.model_name,
        dimension=found.dimension,
        default_similarity_threshold=found.default_threshold,
        default_fusion=found.default_fusion.value,
        default_weights=dict(found.default_weights),
        default_rrf_k=found.default_rrf_k,
        default_max_candidates=found.default_candidates,
        max_limit=found.max_limit,
    )


def _filter(filters: Mapping[str, Any] | None, *, language: str | None = None) -> SearchFilter:
    try:
        where = search_filter(filters or {})
    except InvalidFilter as error:
        field = FieldError(location="body", path=error.path, message=error.reason)
        raise RequestNotValid([field]) from error
    return replace(where, language=language) if language else where


def _match(match: Match) -> MatchResponse:
    found, segment, document = match.found, match.found.segment, match.found.document
    return MatchResponse(
        score=match.score,
        components=dict(match.components),
        ranks=dict(match.ranks),
        text=segment.text,
        segment_id=found.id,
        document_id=document.document_id,
        title=document.title,
        url=document.url,
        heading_path=list(segment.heading_path),
        start=segment.start,
        end=segment.end,
        page=segment.page,
        origin=document.origin,
        language=document.language,
        object_key=document.object_key,
        execution_id=found.execution_id,
        lineage_id=found.lineage_id,
        model_name=match.model_name,
    )
