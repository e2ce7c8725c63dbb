"""How much is stored, on the wire."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from msgspec import Meta, Struct

from application.object_usage import UsageReport


class UsageGroup(Struct, frozen=True, kw_only=True):
    """The objects below one prefix; the prefix itself stands for those that lie directly in it."""

    prefix: Annotated[str, Meta(examples=["uploads/"])]
    objects: int
    total_bytes: int


class StorageUsageResponse(Struct, frozen=True, kw_only=True):
    """How much is stored below a prefix, and below each next one; lower bounds unless `is_exact`."""

    prefix: Annotated[str, Meta(examples=[""])]
    objects: int
    total_bytes: int
    is_exact: bool
    groups: list[UsageGroup]


class StageUsage(Struct, frozen=True, kw_only=True):
    """One stage of a route and what it kept; its name may have slashes."""

    route_id: str
    stage: str
    prefix: Annotated[str, Meta(examples=["executions/01890a5e-0c3b-7d11-9d3c-6c1c3d1b0a55/read/markdown/"])]
    objects: int
    total_bytes: int


class ExecutionStagesResponse(Struct, frozen=True, kw_only=True):
    """The stages at which an execution kept something, by route and name; lower bounds unless `is_exact`."""

    execution_id: UUID
    stages: list[StageUsage]
    is_exact: bool


def usage_response(report: UsageReport) -> StorageUsageResponse:
    """Usage as it travels."""
    prefix = report.whole.name
    groups = [
        UsageGroup(prefix=prefix + one.name, objects=one.objects, total_bytes=one.size)
        for one in report.groups
    ]
    return StorageUsageResponse(
        prefix=prefix,
        objects=report.whole.objects,
        total_bytes=report.whole.size,
        is_exact=report.is_exact,
        groups=groups,
    )


def stages_response(execution_id: UUID, report: UsageReport) -> ExecutionStagesResponse:
    """Stages as they travel."""
    stages = [
        StageUsage(
            route_id=one.name.partition("/")[0],
            stage=one.name.partition("/")[2],
            prefix=f"{report.whole.name}{one.name}/",
            objects=one.objects,
            total_bytes=one.size,
        )
        for one in report.groups
        if "/" in one.name
    ]
    return ExecutionStagesResponse(execution_id=execution_id, stages=stages, is_exact=report.is_exact)
