"""Indexes over embedding slots on the wire."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

from msgspec import Meta, Struct

from adapters.http.wire.pages import page_numbers
from application.search_indexes import Managed
from domain.retrieval.vector_indexes import IndexAction, IndexKind, IndexThresholds, VectorIndex

_UNITS = ("bytes", "kB", "MB", "GB", "TB")


class CreateIndexBody(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An index over the slot `model_name`. Parameters: `m`, `ef_construction` (hnsw); `lists` (ivfflat)."""

    model_name: str
    index_type: IndexKind = IndexKind.IVFFLAT
    parameters: Annotated[dict[str, int], Meta(max_length=10, examples=[{"lists": 100}])] | None = None


class AutoManageBody(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """With `dry_run` nothing is done, and the answer says what would be."""

    dry_run: bool = False


class IndexResponse(Struct, frozen=True, kw_only=True):
    """An index. `row_count` counts the slot's vectors, `scan_count` the searches that used the index; one that
    `is_usable` is false for is half built and not used.
    """

    index_name: str
    model_name: str
    index_type: str
    row_count: int
    size_bytes: int
    size_pretty: str
    parameters: dict[str, int]
    scan_count: int
    is_usable: bool


class IndexListResponse(Struct, frozen=True, kw_only=True):
    """A page of the indexes, by slot."""

    indexes: list[IndexResponse]
    total: int
    limit: int
    offset: int
    has_more: bool
    next_cursor: str | None


class ManagedResponse(Struct, frozen=True, kw_only=True):
    """A slot: `action` is keep, create, rebuild or upgrade; `index_info` the index there is now."""

    model_name: str
    action: str
    reason: str
    applied: bool
    index_type: str | None
    parameters: dict[str, int]
    index_info: IndexResponse | None


class AutoManageResponse(Struct, frozen=True, kw_only=True):
    """Every slot with what was done, or would be."""

    results: list[ManagedResponse]
    total_count: int
    applied_count: int
    dry_run: bool


class RecommendationsResponse(Struct, frozen=True, kw_only=True):
    """Every slot with what should be done about it, `actionable` of them something.

    A slot is worth an index from `index_from` vectors on, and a graph rather than clusters from `graph_from` on.
    """

    recommendations: list[ManagedResponse]
    total: int
    actionable: int
    index_from: int
    graph_from: int


class RecallResponse(Struct, frozen=True, kw_only=True):
    """`recall` is the share of the `limit` nearest of `sample` vectors that the index finds, from 0 to 1."""

    index_name: str
    recall: float
    sample: int
    limit: int


def index_response(index: VectorIndex) -> IndexResponse:
    """An index as it travels."""
    return IndexResponse(
        index_name=index.name,
        model_name=index.model_name,
        index_type=index.kind.value,
        row_count=index.vectors,
        size_bytes=index.size_bytes,
        size_pretty=pretty_size(index.size_bytes),
        parameters=dict(index.parameters),
        scan_count=index.scans,
        is_usable=index.is_usable,
    )


def index_list_response(indexes: Sequence[VectorIndex], *, limit: int, offset: int) -> IndexListResponse:
    """A page of them; there are at most as many as slots."""
    page = [index_response(index) for index in indexes[offset : offset + limit]]
    numbers = page_numbers(len(page), total=len(indexes), limit=limit, offset=offset)
    return IndexListResponse(indexes=page, **numbers)


def managed_response(managed: Sequence[Managed], *, dry_run: bool) -> AutoManageResponse:
    """What management did, or would."""
    return AutoManageResponse(
        results=[_managed(one) for one in managed],
        total_count=len(managed),
        applied_count=sum(one.is_applied for one in managed),
        dry_run=dry_run,
    )


def recommendations_response(
    managed: Sequence[Managed], thresholds: IndexThresholds
) -> RecommendationsResponse:
    """What should be done, with the sizes from which it is."""
    return RecommendationsResponse(
        recommendations=[_managed(one) for one in managed],
        total=len(managed),
        actionable=sum(one.advice.action is not IndexAction.KEEP for one in managed),
        index_from=thresholds.index_from,
        graph_from=thresholds.graph_from,
    )


def _managed(one: Managed) -> ManagedResponse:
    return ManagedResponse(
        model_name=one.advice.model_name,
        action=one.advice.action.value,
        reason=one.advice.reason,
        applied=one.is_applied,
        index_type=one.advice.kind.value if one.advice.kind else None,
        parameters=dict(one.advice.parameters),
        index_info=index_response(one.index) if one.index else None,
    )


def pretty_size(size: float) -> str:
    for unit in _UNITS[:-1]:
        if size < 10_240:
            return f"{size:.0f} {unit}"
        size /= 1024
    return f"{size:.0f} {_UNITS[-1]}"
