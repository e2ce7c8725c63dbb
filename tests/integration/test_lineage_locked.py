"""The flow goes on while nobody can write lineage; what is dropped is counted, shown as the gap, and repaired."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import psycopg
import pytest

from adapters.memory.event_bus import InProcessEventBus
from adapters.memory.message_queue import InProcessMessageQueue
from adapters.memory.storage import MemoryObjectStorage
from adapters.postgres.database import Database
from adapters.postgres.execution_ledger import PostgresExecutionLedger
from adapters.postgres.group_ledger import PostgresGroupLedger
from adapters.postgres.ledger import PostgresLedger
from adapters.postgres.lineage_gap import PostgresLineageGap
from adapters.postgres.lineage_reader import PostgresLineageReader
from adapters.postgres.lineage_sink import PostgresLineageSink
from adapters.postgres.unit_of_work import PostgresUnitOfWork
from adapters.system.clock import SystemClock
from adapters.system.id_source import SystemIdSource
from application.engine.engine import Engine
from application.engine.ports import EnginePorts, EngineSettings
from application.engine.snapshot import readable_pipeline_of
from application.lineage_repair import LineageRepair
from application.ports.lineage import LineageQuery
from application.ports.pipeline_adapter import AdapterResult, Emission, PipelineContext
from application.ports.readiness import Health
from domain.execution import Execution
from domain.json import JsonObject
from domain.lineage import StageStatus
from domain.message import Message, init_message_id
from tests.unit.engines import Acts, Bench

pytestmark = pytest.mark.slow

MESSAGES = 600
CAPACITY = 200
PIPELINE: JsonObject = {
    "version": "1.0",
    "routes": {
        "spread": {
            "inbound": {"queue": "spread"},
            "adapters": [{"type": "spread"}],
            "outbound": [{"queue": "work"}],
        },
        "work": {"inbound": {"queue": "work"}, "adapters": [{"type": "work"}]},
    },
}


async def spread(context: PipelineContext) -> AdapterResult:
    return AdapterResult(
        message=context.message, emitted=[Emission(payload={"n": number}) for number in range(MESSAGES)]
    )


async def work(context: PipelineContext) -> AdapterResult:
    return AdapterResult(message=context.message)


ACTS = {"spread": spread, "work": work}


@asynccontextmanager
async def engine(database: Database, sink: PostgresLineageSink) -> AsyncIterator[Bench]:
    """One over the ledger of the database."""
    storage, events, ids = MemoryObjectStorage(), InProcessEventBus(), SystemIdSource()
    ports = EnginePorts(
        owner=ids.new_id(),
        ledger=PostgresLedger(database),
        executions=PostgresExecutionLedger(database),
        groups=PostgresGroupLedger(database),
        queue=InProcessMessageQueue(),
        storage=storage,
        lineage=sink,
        events=events,
        registry=Acts(ACTS),
        clock=SystemClock(),
        ids=ids,
        settings=EngineSettings(),
    )
    async with Engine(ports=ports) as running:
        yield Bench(running, ports.executions, None, storage, events)  # type: ignore[arg-type]  # it looks at none


def execution_of(bench: Bench) -> Execution:
    ports = bench.engine.ports
    execution_id = ports.ids.new_id()
    return Execution(
        id=execution_id,
        config_id=execution_id,
        config_snapshot={"pipeline": PIPELINE},
        started_at=ports.clock.now(),
    )


async def test_a_locked_table_holds_up_nothing_and_loses_nothing_for_good(database: Database) -> None:
    """The buffer is bounded; every dropped entry is a missing message, until it is repaired."""
    async with PostgresLineageSink(database, capacity=CAPACITY) as sink, engine(database, sink) as bench:
        execution = execution_of(bench)
        pipeline = readable_pipeline_of(execution, Acts(ACTS))
        init = Message(
            id=init_message_id(execution.id), execution_id=execution.id, route_id="spread", payload={}
        )
        with psycopg.connect(database.url) as other:
            other.execute("LOCK TABLE lineage_entry IN ACCESS EXCLUSIVE MODE")
            await bench.engine.start(execution, pipeline, init, limit=None)
            ended = await bench.ended(execution.id, within=60)
            assert ended.counts.done == MESSAGES + 1
            assert sink.dropped == MESSAGES + 1 - CAPACITY
            health = await sink.check()
            assert (health.health, health.details["waiting"]) == (Health.DEGRADED, CAPACITY)
        repair = LineageRepair(
            unrecorded=PostgresLineageGap(database),
            sink=sink,
            work=PostgresUnitOfWork(database),
            registry=Acts(ACTS),
            storage=MemoryObjectStorage(),
        )
        name = str(execution.id)
        assert (await repair.gap(name)).missing == sink.dropped
        assert (await sink.check()).health is Health.HEALTHY
        repaired = await repair.repair(name)
        assert (repaired.messages, repaired.entries) == (sink.dropped, sink.dropped)
        assert (await repair.gap(name)).missing == 0
        reader = PostgresLineageReader(database)
        query = LineageQuery(execution_id=execution.id, is_root=True)
        (root,), _ = await reader.list(query)
        below = await reader.descendants(root.id, limit=1000)
        assert (len(below), {one.status for one in below}) == (MESSAGES, {StageStatus.COMPLETED})
        assert sum("repaired" in one.metadata for one in (root, *below)) == sink.dropped
