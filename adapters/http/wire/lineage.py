"""Lineage on the wire."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from msgspec import Struct

from adapters.http.wire.pages import page_numbers
from application.lineage import LineageChain, LineagePage
from domain.lineage import LineageEntry


class LineageEntryResponse(Struct, frozen=True, kw_only=True):
    """One message at one pipeline adapter in one attempt. Its id is its correlation id."""

    id: UUID
    correlation_id: str
    parent_correlation_id: str | None
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
    """A page of lineage entries."""

    entries: list[LineageEntryResponse]
    total: int
    limit: int
    offset: int
    has_more: bool
    next_cursor: str | None = None


class ExecutionLineageResponse(Struct, frozen=True, kw_only=True):
    """The lineage of one execution, by start."""

    execution_id: UUID
    entries: list[LineageEntryResponse]
    total: int


class LineageBatchResponse(Struct, frozen=True, kw_only=True):
    """The lineage of messages that were replayed together."""

    batch_id: UUID
    entries: list[LineageEntryResponse]
    total: int


class LineageChainResponse(Struct, frozen=True, kw_only=True):
    """Where an entry came from (the nearest first), and what came from it (the nearest first)."""

    correlation_id: str
    entry: LineageEntryResponse
    ancestors: list[LineageEntryResponse]
    descendants: list[LineageEntryResponse]
    total: int


class LineageChildrenResponse(Struct, frozen=True, kw_only=True):
    """The entries whose parent is this one."""

    correlation_id: str
    entries: list[LineageEntryResponse]
    total: int


def entry_response(entry: LineageEntry) -> LineageEntryResponse:
    """A lineage entry as it travels."""
    return LineageEntryResponse(
        id=entry.id,
        correlation_id=str(entry.id),
        parent_correlation_id=None if entry.parent_id is None else str(entry.parent_id),
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


def entry_list_response(page: LineagePage, *, limit: int, offset: int) -> LineageListResponse:
    """A page of lineage entries as it travels."""
    numbers = page_numbers(len(page.entries), total=page.total, limit=limit, offset=offset)
    return LineageListResponse(entries=_entries(page.entries), **numbers)


def execution_lineage_response(execution_id: UUID, page: LineagePage) -> ExecutionLineageResponse:
    """An execution's lineage as it travels."""
    return ExecutionLineageResponse(
        execution_id=execution_id, entries=_entries(page.entries), total=page.total
    )


def batch_response(batch_id: UUID, page: LineagePage) -> LineageBatchResponse:
    """A replay batch's lineage as it travels."""
    return LineageBatchResponse(batch_id=batch_id, entries=_entries(page.entries), total=page.total)


def chain_response(chain: LineageChain) -> LineageChainResponse:
    """Both ways from an entry as they travel."""
    return LineageChainResponse(
        correlation_id=str(chain.entry.id),
        entry=entry_response(chain.entry),
        ancestors=_entries(chain.ancestors),
        descendants=_entries(chain.descendants),
        total=1 + len(chain.ancestors) + len(chain.descendants),
    )


def children_response(correlation_id: UUID, children: Sequence[LineageEntry]) -> LineageChildrenResponse:
    """An entry's children as they travel."""
    return LineageChildrenResponse(
        correlation_id=str(correlation_id), entries=_entries(children), total=len(children)
    )


def _entries(entries: Sequence[LineageEntry]) -> list[LineageEntryResponse]:
    return [entry_response(entry) for entry in entries]
