"""Replays on the wire."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from msgspec import Meta, Struct

from adapters.http.wire.executions import MessageCountsResponse, Tag, counts_response
from application.ports.counting import COUNTED_EXACTLY
from application.replay_plan import ReplayPlan
from application.replays import ReplayBatch
from domain.execution import Execution
from domain.replay import ReplayRequest, ReplaySource

Source = Literal["storage", "lineage", "manual"]
Stage = Annotated[
    str, Meta(min_length=1, max_length=500, description="A stage, as `<stage>` or `<route>/<stage>`.")
]
RouteId = Annotated[str, Meta(min_length=1, max_length=100, description="The route to send to.")]
Path = Annotated[str, Meta(max_length=1024, description="How the keys go on after the stage.")]


class ExecutionReplayRequest(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What to replay of an execution, and where to. `dry_run` only says what would happen.

    Without `to_route` the messages go where the stage's route sends to. With `config_id` they run through the present
    version of that config. `object_keys` and `payloads` go with the source `manual`, which needs no `from_stage`.
    """

    replay_source: Source = "storage"
    from_stage: Stage | None = None
    to_route: RouteId | None = None
    from_path: Path | None = None
    config_id: UUID | None = None
    object_keys: Annotated[list[str], Meta(max_length=1000)] = []
    payloads: Annotated[list[dict[str, Any]], Meta(max_length=1000)] = []
    metadata: dict[str, Any] | None = None
    tag: Tag | None = None
    dry_run: bool = False


class DetachedReplayRequest(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which stored objects to replay, of which execution, into which route."""

    from_execution_id: UUID
    from_stage: Stage
    to_route: RouteId
    from_path: Path | None = None
    config_id: UUID | None = None
    metadata: dict[str, Any] | None = None
    tag: Tag | None = None
    dry_run: bool = False


class DetachedReplayResponse(Struct, frozen=True, kw_only=True):
    """The execution that was started, and how many objects it replays.

    They are sent behind this answer; should any of them be gone by then, the execution fails and says so. Above 10,000
    `objects_found` and `objects_published` say only that there are more.
    """

    execution_id: UUID
    replay_batch_id: UUID
    from_execution_id: UUID
    from_stage: str
    from_path: str | None
    to_route: str
    to_queue: str
    objects_found: int
    objects_published: int
    objects_failed: int
    is_total_exact: bool
    status: str


class ReplayFindingResponse(Struct, frozen=True, kw_only=True):
    """An error keeps the replay from being made, a warning does not; an error's code is that of the problem."""

    severity: Literal["error", "warning"]
    code: str
    message: str


class ReplayDryRunResponse(Struct, frozen=True, kw_only=True):
    """What a replay would do, as far as it is known. `total_bytes` are those of the stored objects.

    `enters_route` differs from `to_route` when the stage was kept in the middle of its route, the rest of which then
    runs first. Above 10,000 `objects_found` and `total_bytes` say only that there are more.
    """

    is_replayable: bool
    findings: list[ReplayFindingResponse]
    from_execution_id: UUID | None
    replay_source: str
    from_stage: str | None
    from_route: str | None
    from_path: str | None
    to_route: str | None
    enters_route: str | None
    to_queue: str | None
    config_id: UUID | None
    objects_found: int
    is_total_exact: bool
    total_bytes: int
    first_keys: list[str]


class ReplayBatchResponse(Struct, frozen=True, kw_only=True):
    """A replay that was started, under the id that its lineage entries name, and how its execution stands.

    `from_route` and `from_stage` are null when its messages were given by hand.
    """

    replay_batch_id: UUID
    execution_id: UUID
    from_execution_id: UUID
    replay_source: str
    from_route: str | None
    from_stage: str | None
    from_path: str | None
    to_route: str
    enters_route: str
    objects_found: int
    status: str
    started_at: datetime
    completed_at: datetime | None
    tag: str | None
    messages: MessageCountsResponse


class ReplayBatchListResponse(Struct, frozen=True, kw_only=True):
    """A page of replays, the latest first; `total` counts up to 10,000, and `is_total_exact` says whether that is all."""

    batches: list[ReplayBatchResponse]
    total: int
    is_total_exact: bool
    limit: int
    offset: int
    has_more: bool
    next_cursor: str | None = None


def batch_response(batch: ReplayBatch) -> ReplayBatchResponse:
    """A replay as it travels."""
    replay, execution = batch.replay, batch.execution
    return ReplayBatchResponse(
        replay_batch_id=replay.batch_id,
        execution_id=execution.id,
        from_execution_id=replay.parent_id,
        replay_source=replay.source.value,
        from_route=None if replay.origin is None else replay.origin.route_id,
        from_stage=None if replay.origin is None else replay.origin.stage,
        from_path=replay.from_path or None,
        to_route=replay.destination.to_route,
        enters_route=replay.destination.enters,
        objects_found=replay.found,
        status=execution.status.value,
        started_at=execution.started_at,
        completed_at=execution.completed_at,
        tag=execution.tag,
        messages=counts_response(execution.counts),
    )


def batch_list_response(page: Sequence[ReplayBatch], *, total: int, limit: int) -> ReplayBatchListResponse:
    """A page of replays as it travels; ``page`` has one more than the limit when there are more."""
    batches = [batch_response(batch) for batch in page[:limit]]
    has_more = len(page) > limit
    return ReplayBatchListResponse(
        batches=batches,
        total=min(total, COUNTED_EXACTLY),
        is_total_exact=total <= COUNTED_EXACTLY,
        limit=limit,
        offset=0,
        has_more=has_more,
        next_cursor=str(batches[-1].execution_id) if has_more else None,
    )


def replay_request(data: ExecutionReplayRequest) -> ReplayRequest:
    """What was asked for; raises InvalidReplay."""
    return ReplayRequest(
        source=ReplaySource(data.replay_source),
        from_stage=data.from_stage,
        from_path=data.from_path or "",
        to_route=data.to_route,
        config_id=data.config_id,
        object_keys=data.object_keys,
        payloads=data.payloads,
        tag=data.tag,
        metadata=data.metadata or {},
    )


def detached_request(data: DetachedReplayRequest) -> ReplayRequest:
    """The same for a detached replay, which is from storage."""
    return ReplayRequest(
        from_stage=data.from_stage,
        from_path=data.from_path or "",
        to_route=data.to_route,
        config_id=data.config_id,
        tag=data.tag,
        metadata=data.metadata or {},
    )


def dry_run_response(plan: ReplayPlan) -> ReplayDryRunResponse:
    """What a plan came to, as it travels."""
    findings = [
        ReplayFindingResponse(
            severity="error" if finding.is_error else "warning", code=finding.code, message=finding.message
        )
        for finding in plan.findings
    ]
    survey, to, origin = plan.survey, plan.destination, plan.origin
    return ReplayDryRunResponse(
        is_replayable=not plan.obstacles,
        findings=findings,
        from_execution_id=None if plan.parent is None else plan.parent.id,
        replay_source=plan.request.source.value,
        from_stage=plan.request.from_stage,
        from_route=None if origin is None else origin.route_id,
        from_path=plan.request.from_path or None,
        to_route=plan.request.to_route if to is None else to.to_route,
        enters_route=None if to is None else to.enters,
        to_queue=plan.to_queue,
        config_id=None if plan.target is None else plan.target.config_id,
        objects_found=survey.found,
        is_total_exact=survey.is_exact,
        total_bytes=survey.size,
        first_keys=list(survey.first_keys),
    )


def detached_response(
    execution: Execution, plan: ReplayPlan, data: DetachedReplayRequest
) -> DetachedReplayResponse:
    """A detached replay that was started, as it travels."""
    replay, found = plan.replay, plan.survey.found
    if replay is None:
        raise AssertionError("a replay that was started has a plan")
    return DetachedReplayResponse(
        execution_id=execution.id,
        replay_batch_id=replay.batch_id,
        from_execution_id=replay.parent_id,
        from_stage=data.from_stage,
        from_path=data.from_path,
        to_route=replay.destination.to_route,
        to_queue=plan.to_queue or "",
        objects_found=found,
        objects_published=found,
        objects_failed=0,
        is_total_exact=plan.survey.is_exact,
        status=execution.status.value,
    )
