"""One process of the service over a store: an engine, its recovery and the use-cases, mortal at any moment."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from uuid import UUID

from adapters.memory.clock import ManualClock
from adapters.memory.event_bus import InProcessEventBus
from adapters.memory.lineage import MemoryLineage
from adapters.memory.message_queue import InProcessMessageQueue
from adapters.yaml.parser import YamlConfigParser
from application.config_check import ConfigCheck
from application.configs import Configs
from application.dead_letters import DeadLetters
from application.engine.engine import Engine
from application.engine.ports import EnginePorts, EngineSettings
from application.engine.recovery import Recovery
from application.engine.replay_registry import SeedingRegistry
from application.engine.replay_sources import ReplaySources
from application.engine.route_gates import RouteGates
from application.engine.route_pauses import RoutePauses
from application.executions import Executions
from application.pauses import Pausing
from application.ports.pipeline_adapter import AdapterResult, Emission, PipelineContext
from application.replays import Replays
from domain.errors import Invalid, Unavailable
from tests.proof.lives import Life
from tests.proof.model import LIMIT, Answer, Kind
from tests.proof.stores import Store
from tests.unit.engines import NEVER_OPEN, Act, Acts


@dataclass(frozen=True, slots=True, kw_only=True)
class Gate:
    """An attempt that waits for its answer."""

    message_id: UUID
    execution_id: UUID
    route_id: str
    attempt: int
    answer: asyncio.Future[Answer] = field(repr=False)


class NumberedIds:
    """Ids that count up, and chance that is the same in every run."""

    def __init__(self) -> None:
        self._last = 0
        self._chance = random.Random(0)

    def new_id(self) -> UUID:
        self._last += 1
        return UUID(int=(self._last << 80) | (7 << 76) | (2 << 62))

    def randomness(self) -> float:
        return self._chance.random()


@dataclass(slots=True, kw_only=True)
class Process:
    """A process whose pipeline adapters wait at gates until they are told how to answer."""

    life: Life
    engine: Engine
    configs: Configs
    executions: Executions
    pausing: Pausing
    dead_letters: DeadLetters
    replays: Replays
    events: InProcessEventBus
    gates: dict[UUID, Gate]
    _stack: AsyncExitStack

    async def close(self) -> None:
        """End it in good order."""
        await self._stack.aclose()

    def open_gates(self) -> list[Gate]:
        """The attempts that wait, in a stable order."""
        return sorted(self.gates.values(), key=lambda gate: gate.message_id)


async def opened_process(
    store: Store, clock: ManualClock, ids: NumberedIds, life: Life, *, capacity: int = 1024
) -> Process:
    """Open a process that takes up what is unfinished in the store; every other one counts as dead."""
    gates: dict[UUID, Gate] = {}
    events = InProcessEventBus()
    ports = EnginePorts(
        owner=ids.new_id(),
        ledger=life.port(store.ledger),
        executions=life.port(store.executions),
        groups=life.port(store.groups),
        queue=InProcessMessageQueue(capacity=capacity),
        storage=store.storage,
        lineage=MemoryLineage(),
        events=events,
        registry=SeedingRegistry(
            registry=Acts({"gated": gated(gates)}),
            sources=ReplaySources(storage=store.storage, history=store.history),
        ),
        clock=clock,
        ids=ids,
        at=life.at,
        settings=EngineSettings(group_commit_linger=0.0, adapter_timeout=3600.0, breaker=NEVER_OPEN),
    )
    configs = Configs(
        work=store.work, parser=YamlConfigParser(), registry=ports.registry, clock=clock, ids=ids
    )
    route_pauses = RoutePauses(pauses=life.port(store.pauses), gates=RouteGates())
    engine = Engine(ports=ports, gates=route_pauses.gates, prepare=route_pauses.apply)
    executions = Executions(configs=configs, work=store.work, engine=engine, limit=LIMIT)
    stack = AsyncExitStack()
    await stack.enter_async_context(engine)
    recovery = Recovery(
        engine=engine,
        leases=life.port(store.leases),
        is_alone=True,
        chores=[lambda: route_pauses.apply(engine.running)],
    )
    await stack.enter_async_context(recovery)
    return Process(
        life=life,
        engine=engine,
        configs=configs,
        executions=executions,
        pausing=Pausing(
            executions=executions,
            pauses=life.port(store.pauses),
            route_pauses=route_pauses,
            check=ConfigCheck(parser=YamlConfigParser(), registry=ports.registry),
            work=store.work,
        ),
        dead_letters=DeadLetters(
            letters=life.port(store.letters), executions=executions, engine=engine, limit=LIMIT
        ),
        replays=Replays(executions=executions, history=store.history),
        events=events,
        gates=gates,
        _stack=stack,
    )


def gated(gates: dict[UUID, Gate]) -> Act:
    """A pipeline adapter that answers what its gate is told."""

    async def act(context: PipelineContext) -> AdapterResult | None:
        gate = Gate(
            message_id=context.message_id,
            execution_id=context.execution_id,
            route_id=context.route_id,
            attempt=context.attempt,
            answer=asyncio.get_running_loop().create_future(),
        )
        assert context.message_id not in gates, "one message was given out twice"
        gates[context.message_id] = gate
        try:
            answer = await gate.answer
        finally:
            del gates[context.message_id]
        return _answered(context, answer)

    return act


def _answered(context: PipelineContext, answer: Answer) -> AdapterResult | None:
    path = str(context.message["path"])
    emissions = [Emission(payload={"path": f"{path}.{number}"}) for number in range(answer.count)]
    match answer.kind:
        case Kind.PASS:
            return AdapterResult(message=context.message)
        case Kind.EMIT:
            return AdapterResult(message=context.message, emitted=emissions)
        case Kind.STREAM | Kind.BREAK:
            stream = _streamed(emissions, breaks=answer.kind is Kind.BREAK)
            return AdapterResult(message=context.message, emitted=stream)
        case Kind.SKIP:
            return None
        case Kind.FAIL:
            raise RuntimeError("told to fail")
        case Kind.REFUSE:
            raise Invalid("told to refuse")
        case Kind.UNAVAILABLE:
            raise Unavailable("told to be away")


async def _streamed(emissions: list[Emission], *, breaks: bool) -> AsyncIterator[Emission]:
    for emission in emissions:
        yield emission
    if breaks:
        raise RuntimeError("told to break")
