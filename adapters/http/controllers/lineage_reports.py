"""Lineage summed up, its gap, and all of it for other systems."""

from __future__ import annotations

from typing import Annotated, Any

from litestar import Controller, get, post
from litestar.di import NamedDependency
from litestar.params import QueryParameter, SkipValidation

from adapters.http.settings import HttpSettings
from adapters.http.streaming import ByteStream
from adapters.http.wire.lineage_figures import (
    LineageFailureGroupsResponse,
    LineageGapResponse,
    LineageRepairResponse,
    LineageStatsResponse,
    failure_groups_response,
    gap_response,
    repair_response,
    stats_response,
)
from adapters.http.wire.openlineage import MEDIA_TYPE, event_lines
from adapters.http.wire.pages import Limit
from application.engine.snapshot import SnapshotNotRunnable
from application.lineage import Lineage
from application.lineage_figures import LineageFigures
from application.lineage_repair import LineageRepair
from domain.execution import ExecutionNotFound

Figures = NamedDependency[SkipValidation[LineageFigures]]
Repair = NamedDependency[SkipValidation[LineageRepair]]
Entries = NamedDependency[SkipValidation[Lineage]]
Settings = NamedDependency[SkipValidation[HttpSettings]]
Execution = Annotated[str, QueryParameter(description="An execution's id or tag.")]

_EVENTS: dict[str, Any] = {
    "description": "One run event of OpenLineage 2-0-2 a line.",
    "content": {MEDIA_TYPE: {"schema": {"type": "string"}, "example": '{"eventType": "START"}\n'}},
}


class LineageReportsController(Controller):
    path = "/api/v1/lineage"
    tags = ("lineage",)

    @get(
        "/stats",
        operation_id="get_lineage_stats",
        summary="Read an execution's lineage in figures",
        opt={"errors": (ExecutionNotFound, SnapshotNotRunnable)},
    )
    async def stats(
        self, lineage_figures: Figures, lineage_repair: Repair, execution_id: Execution
    ) -> LineageStatsResponse:
        """Counts and percentiles of durations per route and per pipeline adapter, and what lineage lacks."""
        figures = await lineage_figures.of_execution(execution_id)
        return stats_response(figures, await lineage_repair.gap(execution_id))

    @get(
        "/failures/groups",
        operation_id="list_lineage_failure_groups",
        summary="Group what failed by error",
        opt={"errors": (ExecutionNotFound,)},
    )
    async def failure_groups(
        self,
        lineage_figures: Figures,
        execution_id: Annotated[str | None, QueryParameter(description="An execution's id or tag.")] = None,
        limit: Limit = 100,
    ) -> LineageFailureGroupsResponse:
        """By error code and type, pipeline adapter, and the message without its names and numbers."""
        return failure_groups_response(await lineage_figures.failures(execution_id, limit=limit))

    @get(
        "/gap",
        operation_id="get_lineage_gap",
        summary="Read what lineage lacks of an execution",
        opt={"errors": (ExecutionNotFound, SnapshotNotRunnable)},
    )
    async def gap(self, lineage_repair: Repair, execution_id: Execution) -> LineageGapResponse:
        """Messages that the ledger has settled and of which lineage lacks an entry that must be there."""
        return gap_response(await lineage_repair.gap(execution_id))

    @post(
        "/repair",
        operation_id="repair_lineage",
        summary="Fill in what lineage lacks of an execution",
        status_code=200,
        opt={"errors": (ExecutionNotFound, SnapshotNotRunnable)},
    )
    async def repair(self, lineage_repair: Repair, execution_id: Execution) -> LineageRepairResponse:
        """From the ledger, marked as `repaired` in the metadata; doing it again changes nothing."""
        return repair_response(await lineage_repair.repair(execution_id))

    @get(
        "/export",
        operation_id="export_lineage",
        summary="Export an execution's lineage as OpenLineage events",
        opt={"errors": (ExecutionNotFound,), "answer": _EVENTS},
    )
    async def export(self, lineage: Entries, settings: Settings, execution_id: Execution) -> ByteStream:
        """Streamed as NDJSON: START and COMPLETE, FAIL or ABORT of the execution and of each of its entries."""
        whole = await lineage.whole(execution_id)
        events = event_lines(whole, producer=f"urn:factflow-server:{settings.version}")
        headers = {
            "content-type": MEDIA_TYPE,
            "content-disposition": f'attachment; filename="lineage-{whole.execution.id}.ndjson"',
        }
        return ByteStream(events, status=200, headers=headers)
