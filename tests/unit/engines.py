"""An engine over adapters in memory, and pipeline adapters that do as a test says."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TypeAlias
from uuid import UUID

from adapters.memory.dead_letters import MemoryDeadLetters
from adapters.memory.event_bus import InProcessEventBus
from adapters.memory.group_ledger import MemoryGroupLedger
from adapters.memory.ledger import MemoryLedger
from adapters.memory.lineage import MemoryLineage
from adapters.memory.message_queue import InProcessMessageQueue
from adapters.memory.storage import MemoryObjectStorage
from adapters.system.clock import SystemClock
from adapters.system.id_source import SystemIdSource
from application.engine.engine import Engine
from application.engine.ports import EnginePorts, EngineSettings
from application.ports.execution_ledger import ExecutionLedger
from application.ports.group_ledger import GroupLedger
from application.ports.ledger import Ledger
from application.ports.message_queue import MessageQueue
from application.ports.pipeline_adapter import (
    AdapterResult,
    BuiltAdapter,
    PipelineAdapterRegistry,
    PipelineContext,
)
from domain.circuit_breaker import BreakerRules
from domain.dead_letter import DeadLetter, DeadLetterFilter
from domain.execution import Execution, ExecutionStatus
from domain.findings import ConfigProblem
from domain.json import JsonObject
from domain.message import Message, init_message_id
from domain.pipeline import AdapterStep, Condition, ErrorHandling, Inbound, Outbound, Pipeline, Route

NEVER_OPEN = BreakerRules(threshold=2.0)
"""For tests in which many messages fail on purpose."""

Act: TypeAlias = Callable[[PipelineContext], Awaitable[AdapterResult | None]]


@dataclass(frozen=True, slots=True)
class ActingAdapter:
    """A pipeline adapter that is one function."""

    act: Act

    async def process(self, context: PipelineContext) -> AdapterResult | None:
        return await self.act(context)


@dataclass(frozen=True, slots=True)
class Acts:
    """A registry of functions."""

    acts: Mapping[str, Act]

    def types(self) -> Mapping[str, str]:
        return dict.fromkeys(self.acts, "a function of a test")

    def check(self, type: str, config: JsonObject) -> list[ConfigProblem]:
        del type, config
        return []

    def collects(self, type: str) -> bool:
        del type
        return False

    def version(self, type: str) -> str:
        return f"{type} 1"

    def build(self, type: str, config: JsonObject) -> BuiltAdapter:
        del config
        return ActingAdapter(self.acts[type])


def route(
    name: str,
    *steps: str | AdapterStep,
    to: str | tuple[str, ...] = (),
    concurrency: int = 5,
    condition: Condition | None = None,
    max_retries: int = 3,
) -> Route:
    """A route whose queue has its name; ``to`` names the routes it feeds."""
    targets = (to,) if isinstance(to, str) else to
    return Route(
        id=name,
        name=name,
        inbound=Inbound(queue=name, concurrency=concurrency, prefetch=2 * concurrency),
        adapters=[AdapterStep(type=step) if isinstance(step, str) else step for step in steps],
        outbound=[Outbound(queue=target, condition=condition) for target in targets],
        error_handling=ErrorHandling(max_retries=max_retries, retry_delay_seconds=0.01),
    )


def pipeline(*routes: Route) -> Pipeline:
    """The pipeline of some routes."""
    return Pipeline(version="1.0", routes={one.id: one for one in routes})


@dataclass(slots=True)
class Bench:
    """An open engine with what lies around it."""

    engine: Engine
    ledger: ExecutionLedger
    lineage: MemoryLineage
    storage: MemoryObjectStorage
    events: InProcessEventBus
    acts: dict[str, Act] = field(default_factory=dict)

    async def start(self, *routes: Route, payload: JsonObject | None = None) -> Execution:
        """Start a pipeline whose first route gets the init message."""
        execution_id = self.engine.ports.ids.new_id()
        execution = Execution(
            id=execution_id,
            config_id=execution_id,
            config_snapshot={},
            started_at=self.engine.ports.clock.now(),
        )
        init = Message(
            id=init_message_id(execution_id),
            execution_id=execution_id,
            route_id=routes[0].id,
            payload=payload or {},
        )
        return await self.engine.start(execution, pipeline(*routes), init, limit=None)

    async def seen(self, execution_id: UUID) -> Execution:
        """The execution as it stands."""
        return await self.ledger.start(
            Execution(
                id=execution_id,
                config_id=execution_id,
                config_snapshot={},
                started_at=self.engine.ports.clock.now(),
            ),
            None,
        )

    async def ended(self, execution_id: UUID, *, within: float = 10.0) -> Execution:
        """The execution once it has ended and everything behind it is settled."""
        async with asyncio.timeout(within):
            while True:
                execution = await self.seen(execution_id)
                if execution.status.is_terminal and not execution.counts.outstanding:
                    await self.engine.ended(execution_id)
                    return execution
                await asyncio.sleep(0.005)

    async def dead(self, execution_id: UUID) -> Sequence[DeadLetter]:
        """The dead letters of an execution in memory."""
        assert isinstance(self.ledger, MemoryLedger)
        wanted = DeadLetterFilter(execution_id=execution_id)
        return (await MemoryDeadLetters(self.ledger).list(wanted, limit=1000)).letters

    async def run(self, *routes: Route, payload: JsonObject | None = None) -> Execution:
        """Start a pipeline and wait for its end."""
        return await self.ended((await self.start(*routes, payload=payload)).id)


@asynccontextmanager
async def bench(
    acts: dict[str, Act],
    *,
    ledger: Ledger | None = None,
    groups: GroupLedger | None = None,
    executions: ExecutionLedger | None = None,
    capacity: int = 1024,
    adapter_timeout: float = 60.0,
    breaker: BreakerRules | None = None,
    registry: PipelineAdapterRegistry | None = None,
    group_commit_largest: int = 500,
    queue: MessageQueue | None = None,
    events: InProcessEventBus | None = None,
    processes: bool = True,
    lease: float = 15.0,
) -> AsyncIterator[Bench]:
    """An open engine; over a ledger in memory and a queue of its own unless others are given."""
    memory = executions if isinstance(executions, MemoryLedger) else MemoryLedger()
    ids = SystemIdSource()
    lineage, storage, events = MemoryLineage(), MemoryObjectStorage(), events or InProcessEventBus()
    ports = EnginePorts(
        owner=ids.new_id(),
        ledger=ledger or memory,
        executions=executions or memory,
        groups=groups or MemoryGroupLedger(memory),
        queue=queue or InProcessMessageQueue(capacity=capacity),
        storage=storage,
        lineage=lineage,
        events=events,
        registry=registry or Acts(acts),
        clock=SystemClock(),
        ids=ids,
        settings=EngineSettings(
            group_commit_linger=0.001,
            group_commit_largest=group_commit_largest,
            adapter_timeout=adapter_timeout,
            breaker=breaker or NEVER_OPEN,
            lease=lease,
        ),
    )
    async with Engine(ports=ports, processes=processes) as engine:
        yield Bench(engine, ports.executions, lineage, storage, events, acts)


def ended_well(execution: Execution) -> bool:
    """Whether it completed with nothing dead."""
    return execution.status is ExecutionStatus.COMPLETED and not execution.counts.dead
