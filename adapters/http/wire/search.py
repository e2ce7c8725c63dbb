"""What a search answers, on the wire."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from msgspec import Struct

from adapters.http.wire.search_requests import SearchBody, SlotsSearchBody
from application.search import SearchCapabilities
from domain.match import Match

MULTI_MODEL = "multi-model"
SIDES = {"semantic", "keyword", "rerank"}
"""What stands among the components of a score besides the names of embedding slots."""


class Highlight(Struct, frozen=True, kw_only=True):
    """A stretch of the text, in characters, that is one of the query's words."""

    start: int
    end: int


class MatchResponse(Struct, frozen=True, kw_only=True):
    """A segment that was found, where it is from, and how its score came about.

    `components` holds the score of each side that found it, `ranks` its rank there from 1; `model_scores` its
    similarity in each embedding slot. `highlights` are places in `text`; `start` and `end` are character offsets into
    the document's Markdown; `page` counts from 1.
    """

    score: float
    components: dict[str, float]
    ranks: dict[str, int]
    model_scores: dict[str, float]
    text: str
    highlights: list[Highlight]
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
    metadata: dict[str, Any]


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
    """An embedding slot with the number of its segments.

    `identity` says which weights and arithmetic make its vectors; it and what follows are null where this server has
    no model for the slot, which then cannot be searched.
    """

    model_name: str
    segments: int
    is_searchable: bool
    identity: str | None
    dimension: int | None
    default_similarity_threshold: float | None


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
    reranker: str | None


def search_response(
    matches: Sequence[Match], body: SearchBody | SlotsSearchBody, *, mode: str, took_ms: float
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
        mode=mode,
        model_name=next((match.model_name for match in page if match.model_name), _slot(body)),
        took_ms=round(took_ms, 3),
    )


def _slot(body: SearchBody | SlotsSearchBody) -> str | None:
    return None if isinstance(body, SlotsSearchBody) else body.model_name


def sources_response(origins: Mapping[str, int]) -> SourcesResponse:
    """The origins as they travel, by name."""
    sources = [SourceResponse(origin=origin, documents=count) for origin, count in sorted(origins.items())]
    return SourcesResponse(sources=sources, total=len(sources))


def capabilities_response(found: SearchCapabilities) -> CapabilitiesResponse:
    """The capabilities as they travel."""
    return CapabilitiesResponse(
        modes=[*(mode.value for mode in found.modes), MULTI_MODEL],
        fusions=[fusion.value for fusion in found.fusions],
        languages=sorted(found.languages),
        slots=_slots(found),
        model_name=found.model_name,
        dimension=found.dimension,
        default_similarity_threshold=found.default_threshold,
        default_fusion=found.default_fusion.value,
        default_weights=dict(found.default_weights),
        default_rrf_k=found.default_rrf_k,
        default_max_candidates=found.default_candidates,
        max_limit=found.max_limit,
        reranker=found.reranker,
    )


def _slots(found: SearchCapabilities) -> list[SlotResponse]:
    models = {model.model_name: model for model in found.models}
    slots = []
    for name in sorted({*found.slots, *models}):
        model = models.get(name)
        slots.append(
            SlotResponse(
                model_name=name,
                segments=found.slots.get(name, 0),
                is_searchable=model is not None,
                identity=model.identity if model else None,
                dimension=model.dimension if model else None,
                default_similarity_threshold=model.default_threshold if model else None,
            )
        )
    return slots


def _match(match: Match) -> MatchResponse:
    found, segment, document = match.found, match.found.segment, match.found.document
    return MatchResponse(
        score=match.score,
        components=dict(match.components),
        ranks=dict(match.ranks),
        model_scores=_model_scores(match),
        text=segment.text,
        highlights=[Highlight(start=start, end=end) for start, end in found.highlights],
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
        metadata=dict(document.metadata),
    )


def _model_scores(match: Match) -> dict[str, float]:
    if match.model_name and "semantic" in match.components:
        return {match.model_name: match.components["semantic"]}
    return {name: score for name, score in match.components.items() if name not in SIDES}
