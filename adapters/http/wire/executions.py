"""Executions on the wire."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

import msgspec
from msgspec import Meta, Struct

from application.ports.counting import COUNTED_EXACTLY
from domain.execution import Execution, ExecutionStatus, ExecutionSummary, MessageCounts

Tag = Annotated[str, Meta(min_length=1, max_length=200, description="A unique name for the execution.")]


class ExecutionStartRequest(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which config to run. `trigger_context` is another name of `metadata`, `idempotency_key` of the header."""

    config_id: UUID
    metadata: dict[str, Any] | None = None
    tag: Tag | None = None
    trigger_context: dict[str, Any] | None = None
    idempotency_key: Annotated[str, Meta(max_length=300, examples=["7c9e6679"])] | None = None


class ExecutionStatusUpdateRequest(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The status to set; `error_info` says why it failed."""

    status: Literal["cancelled", "failed", "completed"]
    error_info: dict[str, Any] | None = None


class ExecutionStatusUpdateResponse(Struct, frozen=True, kw_only=True):
    """What the status was and is."""

    success: bool
    execution_id: UUID
    previous_status: str
    current_status: str
    message: str


class MessageCountsResponse(Struct, frozen=True, kw_only=True):
    """How the execution's messages stand; `outstanding` ones are waiting or being processed."""

    total: int
    outstanding: int
    done: int
    skipped: int
    dead: int
    cancelled: int


class ExecutionResponse(Struct, frozen=True, kw_only=True):
    """One run of a pipeline config."""

    id: UUID
    config_id: UUID
    status: str
    started_at: datetime
    completed_at: datetime | None
    parent_execution_id: UUID | None
    replay_source: str | None
    tag: str | None
    messages: MessageCountsResponse
    paused_at: datetime | None = None


class StartedExecutionResponse(ExecutionResponse, frozen=True, kw_only=True):
    """A run that was just started; `execution_id` is its `id` by another name."""

    execution_id: UUID


class ExecutionDetailResponse(ExecutionResponse, frozen=True, kw_only=True):
    """One run with the config frozen as it was at the start."""

    config_snapshot: dict[str, Any]
    root_correlation_id: UUID | None
    metadata: dict[str, Any] | None
    error_info: dict[str, Any] | None
    generation: int


class ExecutionListResponse(Struct, frozen=True, kw_only=True):
    """A page of executions, the latest first; `total` counts up to 10,000, and `is_total_exact` says whether that is all."""

    executions: list[ExecutionResponse]
    total: int
    is_total_exact: bool
    limit: int
    offset: int
    has_more: bool
    next_cursor: str | None = None


def execution_response(execution: Execution) -> ExecutionResponse:
    """An execution in short."""
    return ExecutionResponse(
        id=execution.id,
        config_id=execution.config_id,
        status=execution.status.value,
        started_at=execution.started_at,
        completed_at=execution.completed_at,
        parent_execution_id=execution.parent_execution_id,
        replay_source=execution.replay_source,
        tag=execution.tag,
        messages=counts_response(execution.counts),
        paused_at=execution.paused_at if execution.is_paused else None,
    )


def started_response(execution: Execution) -> StartedExecutionResponse:
    """What whoever starts an execution is told."""
    told = msgspec.structs.asdict(execution_response(execution))
    return StartedExecutionResponse(**told, execution_id=execution.id)


def execution_detail_response(execution: Execution) -> ExecutionDetailResponse:
    """An execution as it travels alone."""
    return ExecutionDetailResponse(
        **msgspec.structs.asdict(execution_response(execution)),
        config_snapshot=dict(execution.config_snapshot),
        root_correlation_id=execution.root_correlation_id,
        metadata=dict(execution.metadata),
        error_info=_optional(execution.error_info),
        generation=execution.generation,
    )


def execution_list_response(
    page: Sequence[ExecutionSummary], *, total: int, limit: int, offset: int
) -> ExecutionListResponse:
    """A page of executions as it travels; ``page`` has one more than the limit when there are more."""
    executions = [_summary_response(summary) for summary in page[:limit]]
    has_more = len(page) > limit
    return ExecutionListResponse(
        executions=executions,
        total=min(total, COUNTED_EXACTLY),
        is_total_exact=total <= COUNTED_EXACTLY,
        limit=limit,
        offset=offset,
        has_more=has_more,
        next_cursor=str(executions[-1].id) if has_more else None,
    )


def _summary_response(summary: ExecutionSummary) -> ExecutionResponse:
    return ExecutionResponse(
        id=summary.id,
        config_id=summary.config_id,
        status=summary.status.value,
        started_at=summary.started_at,
        completed_at=summary.completed_at,
        parent_execution_id=summary.parent_execution_id,
        replay_source=summary.replay_source,
        tag=summary.tag,
        messages=MessageCountsResponse(
            total=summary.total,
            outstanding=summary.outstanding,
            done=summary.done,
            skipped=summary.skipped,
            dead=summary.dead,
            cancelled=summary.cancelled,
        ),
        paused_at=summary.paused_at if summary.is_paused else None,
    )


def status_update_response(before: ExecutionStatus, execution: Execution) -> ExecutionStatusUpdateResponse:
    """The answer to a status change."""
    return ExecutionStatusUpdateResponse(
        success=True,
        execution_id=execution.id,
        previous_status=before.value,
        current_status=execution.status.value,
        message=f"the execution was {before.value} and is {execution.status.value}",
    )


def counts_response(counts: MessageCounts) -> MessageCountsResponse:
    """How messages stand, as it travels."""
    return MessageCountsResponse(
        total=counts.total,
        outstanding=counts.outstanding,
        done=counts.done,
        skipped=counts.skipped,
        dead=counts.dead,
        cancelled=counts.cancelled,
    )


def _optional(value: Mapping[str, Any] | None) -> dict[str, Any] | None:
    return None if value is None else dict(value)
