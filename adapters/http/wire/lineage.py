"""Lineage on the wire."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from msgspec import Struct

from application.lineage import LineagePage
from application.lineage_traces import LineageChain, LineagePath
from application.ports.lineage import InvalidLineageQuery, LineagePlace
from domain.lineage import LineageEntry

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class LineageEntryResponse(Struct, frozen=True, kw_only=True):
    """One message at one pipeline adapter in one attempt. Its id is its correlation id."""

    id: UUID
    correlation_id: str
    parent_correlation_id: str | None
    collected_into: str | None
    replay_batch_id: UUID | None
    execution_id: UUID | None
    route_id: str | None
    adapter_name: str | None
    adapter_index: int | None
    stage_name: str
    stage_status: str
    stage_input_hash: str | None
    stage_output_hash: str | None
    started_at: datetime
    completed_at: datetime | None
    duration_ms: float | None
    metadata: dict[str, Any] | None
    error_info: dict[str, Any] | None
    message_id: UUID
    attempt: int


class LineageListResponse(Struct, frozen=True, kw_only=True):
    """A page of lineage entries; `total` is exact up to 10,000, else an estimate."""

    entries: list[LineageEntryResponse]
    total: int
    is_total_exact: bool
    limit: int
    offset: int
    has_more: bool
    next_cursor: str | None = None


class ExecutionLineageResponse(Struct, frozen=True, kw_only=True):
    """The lineage of one execution, by start; `total` is exact up to 10,000, else an estimate."""

    execution_id: UUID
    entries: list[LineageEntryResponse]
    total: int
    is_total_exact: bool
    next_cursor: str | None = None


class LineageBatchResponse(Struct, frozen=True, kw_only=True):
    """The lineage of messages that were replayed together; `total` is exact up to 10,000, else an estimate."""

    batch_id: UUID
    entries: list[LineageEntryResponse]
    total: int
    is_total_exact: bool
    next_cursor: str | None = None


class LineageChainResponse(Struct, frozen=True, kw_only=True):
    """Where an entry came from (the nearest first), and what came from it (the nearest first)."""

    correlation_id: str
    entry: LineageEntryResponse
    ancestors: list[LineageEntryResponse]
    descendants: list[LineageEntryResponse]
    total: int


class LineageChildrenResponse(Struct, frozen=True, kw_only=True):
    """The entries whose parent is this one; `total` is of this page."""

    correlation_id: str
    entries: list[LineageEntryResponse]
    total: int
    next_cursor: str | None = None


class LineageRelativesResponse(Struct, frozen=True, kw_only=True):
    """The entries on one side of an entry, near ones first; `total` is how many they are."""

    correlation_id: str
    entries: list[LineageEntryResponse]
    total: int


class LineagePathResponse(Struct, frozen=True, kw_only=True):
    """The way from one entry to another: up to the entry `turning_point`, then down; both ends are among the entries."""

    from_correlation_id: str
    to_correlation_id: str
    turning_point: str
    entries: list[LineageEntryResponse]
    total: int


def entry_response(entry: LineageEntry) -> LineageEntryResponse:
    """A lineage entry as it travels."""
    return LineageEntryResponse(
        id=entry.id,
        correlation_id=str(entry.id),
        parent_correlation_id=None if entry.parent_id is None else str(entry.parent_id),
        collected_into=None if entry.collected_into is None else str(entry.collected_into),
        replay_batch_id=entry.replay_batch_id,
        execution_id=entry.execution_id,
        route_id=entry.route_id,
        adapter_name=entry.adapter_name,
        adapter_index=entry.adapter_index,
        stage_name=entry.stage_name,
        stage_status=entry.status.value,
        stage_input_hash=entry.input_hash,
        stage_output_hash=entry.output_hash,
        started_at=entry.started_at,
        completed_at=entry.completed_at,
        duration_ms=entry.duration_ms,
        metadata=dict(entry.metadata),
        error_info=None if entry.error is None else dict(entry.error),
        message_id=entry.message_id,
        attempt=entry.attempt,
    )


def entry_list_response(
    page: LineagePage, *, limit: int, offset: int, is_by_start: bool = True
) -> LineageListResponse:
    """A page of lineage entries as it travels; only what is sorted by start has a cursor."""
    return LineageListResponse(
        entries=_entries(page.entries),
        total=page.total,
        is_total_exact=page.is_total_exact,
        limit=limit,
        offset=offset,
        has_more=page.has_more,
        next_cursor=_next_cursor(page) if is_by_start else None,
    )


def execution_lineage_response(execution_id: UUID, page: LineagePage) -> ExecutionLineageResponse:
    """An execution's lineage as it travels."""
    return ExecutionLineageResponse(
        execution_id=execution_id,
        entries=_entries(page.entries),
        total=page.total,
        is_total_exact=page.is_total_exact,
        next_cursor=_next_cursor(page),
    )


def batch_response(batch_id: UUID, page: LineagePage) -> LineageBatchResponse:
    """A replay batch's lineage as it travels."""
    return LineageBatchResponse(
        batch_id=batch_id,
        entries=_entries(page.entries),
        total=page.total,
        is_total_exact=page.is_total_exact,
        next_cursor=_next_cursor(page),
    )


def chain_response(chain: LineageChain) -> LineageChainResponse:
    """Both ways from an entry as they travel."""
    return LineageChainResponse(
        correlation_id=str(chain.entry.id),
        entry=entry_response(chain.entry),
        ancestors=_entries(chain.ancestors),
        descendants=_entries(chain.descendants),
        total=1 + len(chain.ancestors) + len(chain.descendants),
    )


def children_response(
    correlation_id: UUID, children: Sequence[LineageEntry], *, limit: int
) -> LineageChildrenResponse:
    """A page of an entry's children as it travels; one more than the page holds tells that there are more."""
    page = children[:limit]
    return LineageChildrenResponse(
        correlation_id=str(correlation_id),
        entries=_entries(page),
        total=len(page),
        next_cursor=_cursor_behind(page[-1]) if len(children) > limit else None,
    )


def relatives_response(correlation_id: UUID, entries: Sequence[LineageEntry]) -> LineageRelativesResponse:
    """Ancestors or descendants as they travel."""
    return LineageRelativesResponse(
        correlation_id=str(correlation_id), entries=_entries(entries), total=len(entries)
    )


def path_response(start: UUID, end: UUID, path: LineagePath) -> LineagePathResponse:
    """The way between two entries as it travels."""
    return LineagePathResponse(
        from_correlation_id=str(start),
        to_correlation_id=str(end),
        turning_point=str(path.turning_point.id),
        entries=_entries(path.entries),
        total=len(path.entries),
    )


def place_of(cursor: str | None) -> LineagePlace | None:
    """Where a page begins; raises InvalidLineageQuery for a cursor that is none of ours."""
    if cursor is None:
        return None
    moment, _, identifier = cursor.rpartition("_")
    try:
        return LineagePlace(
            started_at=_EPOCH + timedelta(microseconds=int(moment, 16)), id=UUID(hex=identifier)
        )
    except (ValueError, OverflowError) as error:
        raise InvalidLineageQuery("the cursor is not one that a page of lineage ended with") from error


def _next_cursor(page: LineagePage) -> str | None:
    return _cursor_behind(page.entries[-1]) if page.has_more and page.entries else None


def _cursor_behind(entry: LineageEntry) -> str:
    return f"{(entry.started_at - _EPOCH) // timedelta(microseconds=1):x}_{entry.id.hex}"


def _entries(entries: Sequence[LineageEntry]) -> list[LineageEntryResponse]:
    return [entry_response(entry) for entry in entries]
