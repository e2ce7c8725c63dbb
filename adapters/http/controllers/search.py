"""Search by meaning, by words, or by both."""

from __future__ import annotations

import time
from dataclasses import replace

from litestar import Controller, get, post
from litestar.di import NamedDependency
from litestar.params import JSONBody, SkipValidation

from adapters.http.wire.search import (
    MULTI_MODEL,
    CapabilitiesResponse,
    SearchResponse,
    SourcesResponse,
    capabilities_response,
    search_response,
    sources_response,
)
from adapters.http.wire.search_requests import (
    FusedSearchBody,
    SearchBody,
    SlotsSearchBody,
    search_request,
)
from application.embedding_models import EmbeddingSlotNotFound
from application.search import MAX_DEPTH, InvalidSearch, Search
from domain.embedding_slot import EmbeddingModelMixed
from domain.match import SearchMode
from domain.retrieval.errors import EmbeddingInputRefused, RerankerNotConfigured
from domain.retrieval.fusion import Fusion

UseCase = NamedDependency[SkipValidation[Search]]
_SEARCHING = {
    "errors": (
        InvalidSearch,
        EmbeddingSlotNotFound,
        EmbeddingModelMixed,
        EmbeddingInputRefused,
        RerankerNotConfigured,
    ),
    "example": {"query": "How is an answer traced to its sources?", "limit": 10},
}


class SearchController(Controller):
    path = "/api/v1/search"
    tags = ("search",)

    @post(status_code=200, operation_id="search", summary="Search by meaning", opt=_SEARCHING)
    async def semantic(self, search: UseCase, data: JSONBody[FusedSearchBody]) -> SearchResponse:
        """Semantic unless `mode` says `keyword` or `hybrid`; the fields of the fusion matter to `hybrid`."""
        return await answered(search, data, data.mode or SearchMode.SEMANTIC)

    @post(
        "/keyword", status_code=200, operation_id="search_keyword", summary="Search by words", opt=_SEARCHING
    )
    async def keyword(self, search: UseCase, data: JSONBody[SearchBody]) -> SearchResponse:
        """BM25 over the stems of each document's language; any of the words may match."""
        return await answered(search, data, SearchMode.KEYWORD)

    @post(
        "/hybrid",
        status_code=200,
        operation_id="search_hybrid",
        summary="Search by meaning and words",
        opt=_SEARCHING,
    )
    async def hybrid(self, search: UseCase, data: JSONBody[FusedSearchBody]) -> SearchResponse:
        """Both sides, made one ranking by `fusion`."""
        return await answered(search, data, SearchMode.HYBRID)

    @post(
        "/rrf",
        status_code=200,
        operation_id="search_rrf",
        summary="Search with reciprocal rank fusion",
        opt=_SEARCHING,
    )
    async def rrf(self, search: UseCase, data: JSONBody[FusedSearchBody]) -> SearchResponse:
        """Both sides, made one ranking by Σ weight / (rrf_k + rank)."""
        return await answered(search, data, SearchMode.HYBRID, fusion=Fusion.RRF)

    @post(
        "/multi-model",
        status_code=200,
        operation_id="search_multi_model",
        summary="Search in several embedding slots",
        opt=_SEARCHING,
    )
    async def multi_model(self, search: UseCase, data: JSONBody[SlotsSearchBody]) -> SearchResponse:
        """By meaning in each slot, made one ranking by `fusion`; `components` holds each slot's similarity."""
        return await answered(search, data, SearchMode.SEMANTIC)

    @get("/sources", operation_id="list_search_sources", summary="List what is indexed")
    async def sources(self, search: UseCase) -> SourcesResponse:
        """Every origin with the number of its documents."""
        return sources_response(await search.sources())

    @get("/capabilities", operation_id="get_search_capabilities", summary="Tell what search can do here")
    async def capabilities(self, search: UseCase) -> CapabilitiesResponse:
        """Modes, embedding slots, languages, and the defaults."""
        return capabilities_response(await search.capabilities())


class ChatSearchController(Controller):
    """The same searches under the paths that chat clients know."""

    path = "/api/v1/chat/search"
    tags = ("chat",)

    @post(
        "/semantic",
        status_code=200,
        operation_id="chat_search_semantic",
        summary="Search by meaning",
        opt=_SEARCHING,
    )
    async def semantic(self, search: UseCase, data: JSONBody[SearchBody]) -> SearchResponse:
        """As `POST /api/v1/search`."""
        return await answered(search, data, SearchMode.SEMANTIC)

    @post(
        "/hybrid",
        status_code=200,
        operation_id="chat_search_hybrid",
        summary="Search by meaning and words",
        opt=_SEARCHING,
    )
    async def hybrid(self, search: UseCase, data: JSONBody[FusedSearchBody]) -> SearchResponse:
        """As `POST /api/v1/search/hybrid`."""
        return await answered(search, data, SearchMode.HYBRID)

    @post(
        "/rrf",
        status_code=200,
        operation_id="chat_search_rrf",
        summary="Search with reciprocal rank fusion",
        opt=_SEARCHING,
    )
    async def rrf(self, search: UseCase, data: JSONBody[FusedSearchBody]) -> SearchResponse:
        """As `POST /api/v1/search/rrf`."""
        return await answered(search, data, SearchMode.HYBRID, fusion=Fusion.RRF)


async def answered(
    search: Search, body: SearchBody | SlotsSearchBody, mode: SearchMode, *, fusion: Fusion | None = None
) -> SearchResponse:
    """Ask for one match more than wanted, which tells whether there is more."""
    started = time.perf_counter()
    request = search_request(body, mode, fusion=fusion, slots=search.model_names)
    if request.depth < MAX_DEPTH:
        request = replace(request, limit=request.limit + 1)
    matches = await search.find(request)
    name = MULTI_MODEL if isinstance(body, SlotsSearchBody) else mode.value
    return search_response(matches, body, mode=name, took_ms=(time.perf_counter() - started) * 1000)
