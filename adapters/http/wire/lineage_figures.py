"""Lineage summed up, and its gap, on the wire."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from msgspec import Struct

from application.lineage_figures import ExecutionFigures
from application.lineage_repair import ExecutionGap, RepairedLineage
from application.ports.lineage_statistics import AdapterStatistics, FailureGroup, Percentiles, RouteStatistics
from domain.lineage import StageStatus


class LineageRouteStats(Struct, frozen=True, kw_only=True):
    """How a route's messages fared, each by its last attempt."""

    route_id: str
    total_messages: int
    completed: int
    failed: int
    in_progress: int
    avg_duration_ms: float | None
    p50_ms: float | None
    p95_ms: float | None
    p99_ms: float | None


class LineageAdapterStats(Struct, frozen=True, kw_only=True):
    """How often a route's pipeline adapter handled a message, every attempt counted, by how it ended."""

    route_id: str
    adapter_name: str
    adapter_index: int
    count: int
    completed: int
    failed: int
    cancelled: int
    in_progress: int
    avg_duration_ms: float | None
    p50_ms: float | None
    p95_ms: float | None
    p99_ms: float | None


class LineageRouteGap(Struct, frozen=True, kw_only=True):
    """Of a route's settled messages, of how many lineage lacks entries."""

    route_id: str
    settled: int
    missing: int


class LineageGapResponse(Struct, frozen=True, kw_only=True):
    """Of how many of an execution's settled messages lineage lacks entries."""

    execution_id: UUID
    settled: int
    missing: int
    routes: list[LineageRouteGap]


class LineageStatsResponse(Struct, frozen=True, kw_only=True):
    """An execution's lineage in figures, per route and per pipeline adapter, with its gap."""

    execution_id: UUID
    routes: list[LineageRouteStats]
    adapters: list[LineageAdapterStats]
    gap: LineageGapResponse


class LineageFailureGroup(Struct, frozen=True, kw_only=True):
    """Failures of one pipeline adapter that say the same but for names and numbers, with the latest of them."""

    error_code: str | None
    error_type: str | None
    message: str
    route_id: str
    adapter_name: str
    count: int
    first_at: datetime
    last_at: datetime
    correlation_ids: list[str]


class LineageFailureGroupsResponse(Struct, frozen=True, kw_only=True):
    """Failures grouped by error, the most frequent first."""

    groups: list[LineageFailureGroup]
    total: int


class LineageRepairResponse(Struct, frozen=True, kw_only=True):
    """What a repair wrote: entries, and of how many messages."""

    execution_id: UUID
    messages: int
    entries: int


def stats_response(figures: ExecutionFigures, gap: ExecutionGap) -> LineageStatsResponse:
    """Figures as they travel."""
    return LineageStatsResponse(
        execution_id=figures.execution_id,
        routes=[_route(one) for one in figures.routes],
        adapters=[adapter_stats(one) for one in figures.adapters],
        gap=gap_response(gap),
    )


def gap_response(gap: ExecutionGap) -> LineageGapResponse:
    """A gap as it travels."""
    return LineageGapResponse(
        execution_id=gap.execution_id,
        settled=gap.settled,
        missing=gap.missing,
        routes=[
            LineageRouteGap(route_id=one.route_id, settled=one.settled, missing=one.missing)
            for one in gap.routes
        ],
    )


def failure_groups_response(groups: Sequence[FailureGroup]) -> LineageFailureGroupsResponse:
    """Groups of failures as they travel."""
    return LineageFailureGroupsResponse(groups=[_group(one) for one in groups], total=len(groups))


def repair_response(repaired: RepairedLineage) -> LineageRepairResponse:
    """What was repaired as it travels."""
    return LineageRepairResponse(
        execution_id=repaired.execution_id, messages=repaired.messages, entries=repaired.entries
    )


def _route(one: RouteStatistics) -> LineageRouteStats:
    p50, p95, p99 = _percentiles(one.durations)
    return LineageRouteStats(
        route_id=one.route_id,
        total_messages=one.total_messages,
        completed=one.completed,
        failed=one.failed,
        in_progress=one.in_progress,
        avg_duration_ms=one.avg_duration_ms,
        p50_ms=p50,
        p95_ms=p95,
        p99_ms=p99,
    )


def adapter_stats(one: AdapterStatistics) -> LineageAdapterStats:
    """A pipeline adapter's figures as they travel."""
    p50, p95, p99 = _percentiles(one.durations)
    return LineageAdapterStats(
        route_id=one.route_id,
        adapter_name=one.adapter_name,
        adapter_index=one.adapter_index,
        count=one.total,
        completed=one.counts.get(StageStatus.COMPLETED, 0),
        failed=one.counts.get(StageStatus.FAILED, 0),
        cancelled=one.counts.get(StageStatus.CANCELLED, 0),
        in_progress=sum(count for status, count in one.counts.items() if not status.is_final),
        avg_duration_ms=one.avg_duration_ms,
        p50_ms=p50,
        p95_ms=p95,
        p99_ms=p99,
    )


def _percentiles(found: Percentiles | None) -> tuple[float | None, float | None, float | None]:
    return (None, None, None) if found is None else (found.p50_ms, found.p95_ms, found.p99_ms)


def _group(one: FailureGroup) -> LineageFailureGroup:
    return LineageFailureGroup(
        error_code=one.code,
        error_type=one.type,
        message=one.message,
        route_id=one.route_id,
        adapter_name=one.adapter_name,
        count=one.count,
        first_at=one.first_at,
        last_at=one.last_at,
        correlation_ids=[str(each) for each in one.correlation_ids],
    )
