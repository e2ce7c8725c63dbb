"""Fans one message out into many and tells how much memory that takes.

Run as a program: `wide_fan_out.py DATABASE_URL COUNT`. It writes a JSON object: the resident kilobytes after each tenth
of the messages, the most there ever were, and how the execution ended.
"""

from __future__ import annotations

import asyncio
import gc
import json
import sys
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from uuid import UUID

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from adapters.memory.event_bus import InProcessEventBus
from adapters.memory.message_queue import InProcessMessageQueue
from adapters.memory.storage import MemoryObjectStorage
from adapters.postgres.database import Database
from adapters.postgres.execution_ledger import PostgresExecutionLedger
from adapters.postgres.group_ledger import PostgresGroupLedger
from adapters.postgres.ledger import PostgresLedger
from adapters.postgres.lineage_sink import PostgresLineageSink
from adapters.system.clock import SystemClock
from adapters.system.id_source import SystemIdSource
from application.engine.engine import Engine
from application.engine.ports import EnginePorts
from application.ports.pipeline_adapter import AdapterResult, Emission, PipelineContext
from domain.execution import Execution
from domain.message import Message, init_message_id
from tests.unit.engines import Act, Acts, pipeline, route

TEXT = "x" * 400


def resident(field: str = "VmRSS") -> int:
    """Kilobytes of this process in memory now, or at most so far (``VmHWM``)."""
    for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
        if line.startswith(f"{field}:"):
            return int(line.split()[1])
    raise LookupError(field)


class Acting:
    """The two pipeline adapters, and what the second one measures on its way."""

    def __init__(self, count: int) -> None:
        self.count = count
        self.seen = 0
        self.tenths: list[int] = []

    def acts(self) -> Mapping[str, Act]:
        return {"fan": self.fan, "take": self.take}

    async def fan(self, context: PipelineContext) -> AdapterResult:
        async def emissions() -> AsyncIterator[Emission]:
            for number in range(self.count):
                yield Emission(payload={"number": number, "text": TEXT})

        return AdapterResult(message=context.message, emitted=emissions())

    async def take(self, context: PipelineContext) -> AdapterResult:
        self.seen += 1
        if self.seen % (self.count // 10) == 0:
            gc.collect()
            self.tenths.append(resident())
        return AdapterResult(message=context.message)


async def run(url: str, count: int) -> dict[str, object]:
    acting, ids, clock = Acting(count), SystemIdSource(), SystemClock()
    async with Database(url) as database, PostgresLineageSink(database) as lineage:
        executions = PostgresExecutionLedger(database)
        ports = EnginePorts(
            owner=ids.new_id(),
            ledger=PostgresLedger(database),
            executions=executions,
            groups=PostgresGroupLedger(database),
            queue=InProcessMessageQueue(),
            storage=MemoryObjectStorage(),
            lineage=lineage,
            events=InProcessEventBus(),
            registry=Acts(acting.acts()),
            clock=clock,
            ids=ids,
        )
        async with Engine(ports=ports) as engine:
            ended = await _ended(engine, executions, await _started(engine, ids.new_id()))
    return {
        "status": ended.status.value,
        "done": ended.counts.done,
        "dead": ended.counts.dead,
        "tenths": acting.tenths,
        "most": resident("VmHWM"),
    }


async def _started(engine: Engine, execution_id: UUID) -> Execution:
    execution = Execution(
        id=execution_id,
        config_id=execution_id,
        config_snapshot={},
        started_at=engine.ports.clock.now(),
    )
    init = Message(id=init_message_id(execution_id), execution_id=execution_id, route_id="a", payload={})
    return await engine.start(
        execution, pipeline(route("a", "fan", to="b"), route("b", "take")), init, limit=None
    )


async def _ended(engine: Engine, executions: PostgresExecutionLedger, execution: Execution) -> Execution:
    while execution.id in engine.running:  # noqa: ASYNC110 (nobody is told)
        await asyncio.sleep(0.05)
    return await executions.start(execution, None)


if __name__ == "__main__":
    sys.stdout.write(json.dumps(asyncio.run(run(sys.argv[1], int(sys.argv[2])))))
