"""The gap between ledger and lineage: how large it is, and how it is closed."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import aclosing, suppress
from dataclasses import dataclass, replace
from uuid import UUID

from application.engine.claim_check import checked_out
from application.engine.snapshot import readable_pipeline_of
from application.lineage import execution_named
from application.ports.lineage import LineageSink
from application.ports.lineage_gap import LineageGap, RouteGap
from application.ports.object_storage import ObjectStorage
from application.ports.pipeline_adapter import PipelineAdapterRegistry
from application.ports.unit_of_work import UnitOfWork
from domain.claim_check import PayloadGone
from domain.execution import Execution
from domain.expected_lineage import ExpectedSteps, expected_of
from domain.lineage import LineageEntry
from domain.lineage_repair import may_go_unrecorded, repaired_entries
from domain.pipeline import Route
from domain.unrecorded_message import UnrecordedMessage

FLUSH_SECONDS = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ExecutionGap:
    """Of how many of an execution's settled messages lineage lacks entries, in all and per route.

    A route whose pipeline adapters all have conditions is left out: a message may rightly pass it without an entry.
    """

    execution_id: UUID
    routes: Sequence[RouteGap]

    @property
    def settled(self) -> int:
        """Messages that lineage should know of."""
        return sum(route.settled for route in self.routes)

    @property
    def missing(self) -> int:
        """Those of them of which it lacks something."""
        return sum(route.missing for route in self.routes)


@dataclass(frozen=True, slots=True, kw_only=True)
class RepairedLineage:
    """What a repair wrote: entries, and of how many messages."""

    execution_id: UUID
    messages: int
    entries: int


@dataclass(frozen=True, slots=True, kw_only=True)
class LineageRepair:
    """Shows and closes the gap. Executions are named by id or tag.

    What waits in this process's buffer is written first, if that takes no longer than a second. What waits in another
    process's buffer counts as missing; should it be repaired, the real entry takes the place of the repaired one.
    """

    unrecorded: LineageGap
    sink: LineageSink
    work: UnitOfWork
    registry: PipelineAdapterRegistry
    storage: ObjectStorage

    async def gap(self, id_or_tag: str) -> ExecutionGap:
        """The gap of an execution as it stands; raises ExecutionNotFound, SnapshotNotRunnable."""
        execution = await execution_named(self.work, id_or_tag)
        routes = self._routes(execution)
        await self._write_what_waits()
        counted = await self.unrecorded.count(execution.id, self._expected(routes))
        return ExecutionGap(
            execution_id=execution.id,
            routes=[
                one
                for one in counted
                if (route := routes.get(one.route_id)) is None or not may_go_unrecorded(route)
            ],
        )

    async def repair(self, id_or_tag: str) -> RepairedLineage:
        """Write what the ledger still knows of every message that lineage lacks; doing it twice changes nothing.

        No entry that is there is touched. Raises ExecutionNotFound, SnapshotNotRunnable.
        """
        execution = await execution_named(self.work, id_or_tag)
        routes = self._routes(execution)
        await self._write_what_waits()
        messages = written = 0
        async with aclosing(self.unrecorded.missing(execution.id, self._expected(routes))) as pages:
            async for page in pages:
                entries = [await self._entries(one, routes) for one in page]
                messages += sum(bool(of_message) for of_message in entries)
                written += await self.unrecorded.fill([one for of_message in entries for one in of_message])
        return RepairedLineage(execution_id=execution.id, messages=messages, entries=written)

    def _routes(self, execution: Execution) -> Mapping[str, Route]:
        return readable_pipeline_of(execution, self.registry).routes

    def _expected(self, routes: Mapping[str, Route]) -> Mapping[str, ExpectedSteps]:
        return {
            route_id: expected_of(route, collects=self._collects(route)) for route_id, route in routes.items()
        }

    def _collects(self, route: Route) -> bool:
        return self.registry.collects(route.adapters[0].type)

    async def _entries(self, one: UnrecordedMessage, routes: Mapping[str, Route]) -> Sequence[LineageEntry]:
        route = routes.get(one.message.route_id)
        if route is None:
            return ()
        return repaired_entries(route, await self._with_payload(one), collects=self._collects(route))

    async def _with_payload(self, one: UnrecordedMessage) -> UnrecordedMessage:
        """Conditions look into payloads; of one that is gone only what the ledger knows can be told."""
        try:
            return replace(one, message=await checked_out(self.storage, one.message))
        except PayloadGone:
            return replace(one, is_payload_known=False)

    async def _write_what_waits(self) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(FLUSH_SECONDS):
                await self.sink.flush()
