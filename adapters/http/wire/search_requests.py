"""What a search is asked, on the wire."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Annotated, Any

from msgspec import Meta, Struct

from adapters.http.errors import FieldError, RequestNotValid
from application.search_request import (
    DEFAULT_CANDIDATES,
    DEFAULT_FUSION,
    DEFAULT_RERANKED,
    DEFAULT_WEIGHTS,
    MAX_QUERY_CHARACTERS,
    MAX_RERANKED,
    MAX_SLOTS,
    SearchRequest,
)
from domain.match import SearchFilter, SearchMode
from domain.retrieval.filter_parsing import InvalidFilter
from domain.retrieval.fusion import RRF_K, Fusion
from domain.retrieval.search_filters import search_filter

Query = Annotated[str, Meta(min_length=1, max_length=MAX_QUERY_CHARACTERS)]
Limit = Annotated[int, Meta(ge=1, le=1000, description="How many matches to return at most.", examples=[10])]
Offset = Annotated[int, Meta(ge=0, le=9_999, description="How many to pass over.", examples=[0])]
Weight = Annotated[float, Meta(ge=0, le=1_000, examples=[1.0])]
Threshold = Annotated[float, Meta(ge=-1, le=1, examples=[0.3])]
Constant = Annotated[float, Meta(ge=0, le=1_000_000, examples=[60])]
Candidates = Annotated[int, Meta(ge=1, le=1000, examples=[DEFAULT_CANDIDATES])]
Reranked = Annotated[int, Meta(ge=1, le=MAX_RERANKED, examples=[50])]
Lambda = Annotated[float, Meta(ge=0, le=1, examples=[0.7])]


Filters = Annotated[
    dict[str, Any],
    Meta(
        description="What a match must satisfy; see `search.md` for the language.",
        examples=[{"origin": "docs", "metadata.year": {"gte": 2020}}],
    ),
]


class SearchBody(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What to look for.

    `model_name` names the embedding slot, null the server's own. What is less similar (cosine) than
    `similarity_threshold` is dropped from the semantic side, and words may still find it; null drops nothing. `mode`
    matters to `POST /api/v1/search` alone. `highlight` points at the query's words in the text; null does where words
    are searched. `rerank` has the reranker read the `rerank_candidates` best. `mmr_lambda` picks matches unlike each
    other, from 1 (none of it) down to 0.
    """

    query: Query
    limit: Limit = 10
    offset: Offset = 0
    mode: SearchMode | None = None
    model_name: str | None = None
    similarity_threshold: Threshold | None = None
    filters: Filters | None = None
    highlight: bool | None = None
    rerank: bool = False
    rerank_candidates: Reranked = DEFAULT_RERANKED
    mmr_lambda: Lambda | None = None


class FusedSearchBody(SearchBody, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What to look for by meaning and by words, and how to make one ranking of two.

    `language` restricts the search to documents of that language, whose stemming their words follow.
    """

    fusion: Fusion = DEFAULT_FUSION
    vector_weight: Weight = DEFAULT_WEIGHTS["semantic"]
    keyword_weight: Weight = DEFAULT_WEIGHTS["keyword"]
    rrf_k: Constant = RRF_K
    max_candidates: Candidates = DEFAULT_CANDIDATES
    language: str | None = None


class SlotsSearchBody(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What to look for in several embedding slots, and how to make one ranking of theirs.

    `models` names the slots, null all that there are; `weights` counts one more or less than another, 1 unless given.
    """

    query: Query
    models: Annotated[list[str], Meta(min_length=1, max_length=MAX_SLOTS)] | None = None
    weights: dict[str, Weight] = {}
    limit: Limit = 10
    offset: Offset = 0
    similarity_threshold: Threshold | None = None
    filters: Filters | None = None
    fusion: Fusion = DEFAULT_FUSION
    rrf_k: Constant = RRF_K
    max_candidates: Candidates = DEFAULT_CANDIDATES
    highlight: bool | None = None
    rerank: bool = False
    rerank_candidates: Reranked = DEFAULT_RERANKED
    mmr_lambda: Lambda | None = None


def search_request(
    body: SearchBody | SlotsSearchBody,
    mode: SearchMode,
    *,
    fusion: Fusion | None = None,
    slots: Sequence[str] = (),
) -> SearchRequest:
    """What the use-case is asked; `slots` are all there are. Raises InvalidSearch, RequestNotValid."""
    asked = SearchRequest(
        query=body.query,
        mode=mode,
        limit=body.limit,
        offset=body.offset,
        where=_filter(body.filters),
        similarity_threshold=body.similarity_threshold,
        is_reranked=body.rerank,
        reranked=body.rerank_candidates,
        mmr_lambda=body.mmr_lambda,
        is_highlighted=body.highlight,
    )
    if isinstance(body, SlotsSearchBody):
        names = body.models or slots
        asked = replace(asked, model_names=tuple(names), model_weights=body.weights)
        return _with_fusion(asked, body, fusion)
    asked = replace(asked, model_name=body.model_name)
    if not isinstance(body, FusedSearchBody):
        return asked
    if body.language:
        asked = replace(asked, where=replace(asked.where, language=body.language))
    weights = {"semantic": body.vector_weight, "keyword": body.keyword_weight}
    return _with_fusion(replace(asked, weights=weights), body, fusion)


def _with_fusion(
    asked: SearchRequest, body: FusedSearchBody | SlotsSearchBody, fusion: Fusion | None
) -> SearchRequest:
    return replace(asked, fusion=fusion or body.fusion, rrf_k=body.rrf_k, candidates=body.max_candidates)


def _filter(filters: Mapping[str, Any] | None) -> SearchFilter:
    try:
        return search_filter(filters or {})
    except InvalidFilter as error:
        field = FieldError(location="body", path=error.path, message=error.reason)
        raise RequestNotValid([field]) from error
