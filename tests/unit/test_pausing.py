"""What a pause does to a run, how long it lasts, and what it does not touch."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from uuid import UUID, uuid4

import pytest

from adapters.memory.leases import MemoryLeases
from adapters.memory.ledger import MemoryLedger
from adapters.memory.pauses import MemoryPauses
from adapters.memory.unit_of_work import MemoryUnitOfWork
from adapters.yaml.parser import YamlConfigParser
from application.config_check import ConfigCheck
from application.configs import Configs
from application.engine.recovery import Recovery
from application.engine.route_pauses import RoutePauses
from application.engine.standing_down import StandingDown
from application.executions import Executions
from application.health import OrchestratorReadiness
from application.pauses import Pausing
from application.ports.pipeline_adapter import AdapterResult, PipelineContext
from application.ports.readiness import Health
from domain.execution import ExecutionNotFound, ExecutionStatus
from domain.pause import PauseNotAllowed, PauseScope, RouteNotFound
from tests.unit.engines import Act, Bench, bench, ended_well
from tests.unit.test_engine import fanning

YAML = """
version: "1.0"
routes:
  first: {inbound: {queue: first}, adapters: [{type: fan}], outbound: [{queue: second}]}
  second: {inbound: {queue: second, concurrency: 2}, adapters: [{type: act}]}
init_message: {route: first, payload: {}}
"""


@dataclass
class Gated:
    """A pipeline adapter that goes on when it is let."""

    go: asyncio.Event = field(default_factory=asyncio.Event)
    begun: int = 0
    has_begun: asyncio.Event = field(default_factory=asyncio.Event)

    async def __call__(self, context: PipelineContext) -> AdapterResult:
        self.begun += 1
        self.has_begun.set()
        await self.go.wait()
        return AdapterResult(message=context.message)


@dataclass
class World:
    """What outlives a process."""

    ledger: MemoryLedger = field(default_factory=MemoryLedger)
    work: MemoryUnitOfWork = field(init=False)
    pauses: MemoryPauses = field(init=False)

    def __post_init__(self) -> None:
        self.work = MemoryUnitOfWork(self.ledger)
        self.pauses = MemoryPauses(self.ledger)


@dataclass(frozen=True, slots=True)
class Service:
    """The use-cases over an open engine."""

    on: Bench
    configs: Configs
    executions: Executions
    pausing: Pausing
    route_pauses: RoutePauses

    async def started(self, tag: str | None = None) -> str:
        config = (await self.configs.create(name="one", yaml=YAML)).config
        return str((await self.executions.start(config.id, tag=tag)).id)

    async def counts(self, execution_id: str) -> tuple[int, int]:
        """How many are done and how many outstanding, once nothing moves any more."""
        for _ in range(20):
            await asyncio.sleep(0.002)
        counts = (await self.executions.get(execution_id)).counts
        return counts.done, counts.outstanding


@asynccontextmanager
async def process(world: World, act: Act, *, messages: int = 6) -> AsyncIterator[Service]:
    """A process of the service, with what was left unfinished taken up."""
    acts = {"fan": fanning(messages), "act": act}
    async with bench(acts, ledger=world.ledger, executions=world.ledger) as on:
        ports = on.engine.ports
        route_pauses = RoutePauses(pauses=world.pauses, gates=on.engine.gates)
        on.engine.prepare = route_pauses.apply
        parser = YamlConfigParser()
        configs = Configs(
            work=world.work, parser=parser, registry=ports.registry, clock=ports.clock, ids=ports.ids
        )
        executions = Executions(configs=configs, work=world.work, engine=on.engine, limit=5)
        pausing = Pausing(
            executions=executions,
            pauses=world.pauses,
            route_pauses=route_pauses,
            check=ConfigCheck(parser=parser, registry=ports.registry),
            work=world.work,
        )
        async with Recovery(engine=on.engine, leases=MemoryLeases(), is_alone=True):
            yield Service(on, configs, executions, pausing, route_pauses)


async def paused(given: Service, how: str, execution_id: str, *, is_paused: bool = True) -> None:
    """Pause or resume what holds up the route ``second`` of an execution."""
    if how == "execution":
        await given.pausing.change_execution(execution_id, is_paused=is_paused)
    else:
        of = execution_id if how == "route" else None
        await given.pausing.change_route("second", is_paused=is_paused, id_or_tag=of)


HOW = ["execution", "route", "everywhere"]


@pytest.mark.parametrize("how", HOW)
async def test_what_is_at_work_settles_and_nothing_new_begins(how: str) -> None:
    """What was fetched is handed back; after the resume all of it comes."""
    act = Gated()
    async with process(World(), act) as given:
        execution_id = await given.started()
        async with asyncio.timeout(5):
            await act.has_begun.wait()
        await given.counts(execution_id)
        await paused(given, how, execution_id)
        act.go.set()
        assert await given.counts(execution_id) == (1 + 2, 4)
        assert act.begun == 2
        await paused(given, how, execution_id, is_paused=False)
        assert ended_well(await given.on.ended(UUID(execution_id)))
        assert act.begun == 6


@pytest.mark.parametrize("how", HOW)
async def test_a_pause_outlasts_a_restart(how: str) -> None:
    """Whoever resumes the run resumes it paused."""
    world, act = World(), Gated()
    async with process(world, act) as given:
        execution_id = await given.started()
        async with asyncio.timeout(5):
            await act.has_begun.wait()
        await paused(given, how, execution_id)
    act.go.set()
    act.begun = 0
    async with process(world, act) as given:
        execution = await given.executions.get(execution_id)
        assert (execution.status, act.begun) == (ExecutionStatus.RUNNING, 0)
        assert (await given.counts(execution_id))[0] == 1
        assert act.begun == 0
        await paused(given, how, execution_id, is_paused=False)
        assert ended_well(await given.on.ended(UUID(execution_id)))


async def test_a_run_that_begins_while_its_route_is_paused_begins_paused() -> None:
    """The routes before it go on."""
    act = Gated()
    act.go.set()
    async with process(World(), act) as given:
        await given.configs.create(name="one", yaml=YAML)
        await given.pausing.change_route("second", is_paused=True)
        execution_id = await given.started()
        assert await given.counts(execution_id) == (1, 6)
        assert act.begun == 0
        await given.pausing.change_route("second", is_paused=False)
        assert ended_well(await given.on.ended(UUID(execution_id)))


async def test_a_route_goes_on_when_the_last_of_its_pauses_is_lifted() -> None:
    """In whatever order they are."""
    act = Gated()
    act.go.set()
    async with process(World(), act) as given:
        await given.configs.create(name="one", yaml=YAML)
        await given.pausing.change_route("second", is_paused=True)
        execution_id = await given.started()
        for how in ("execution", "route"):
            await paused(given, how, execution_id)
        for how in ("everywhere", "execution", "route"):
            assert act.begun == 0
            await paused(given, how, execution_id, is_paused=False)
        assert ended_well(await given.on.ended(UUID(execution_id)))


@pytest.mark.parametrize("how", HOW)
async def test_a_paused_run_can_be_cancelled(how: str) -> None:
    """What waits is settled as cancelled, as ever."""
    act = Gated()
    async with process(World(), act) as given:
        execution_id = await given.started()
        await act.has_begun.wait()
        await paused(given, how, execution_id)
        await given.executions.change_status(execution_id, ExecutionStatus.CANCELLED)
        ended = await given.on.ended(UUID(execution_id))
        assert (ended.status, ended.counts.cancelled, ended.counts.done) == (ExecutionStatus.CANCELLED, 6, 1)
        with pytest.raises(PauseNotAllowed):
            await given.pausing.change_execution(execution_id, is_paused=False)


async def test_other_executions_and_routes_go_on() -> None:
    """A pause of one route of one run holds up nothing else."""
    act = Gated()
    act.go.set()
    async with process(World(), act) as given:
        await given.configs.create(name="one", yaml=YAML)
        await given.pausing.change_route("first", is_paused=True)
        held = await given.started()
        await given.pausing.change_route("first", is_paused=True, id_or_tag=held)
        await given.pausing.change_route("first", is_paused=False)
        other = await given.started()
        assert ended_well(await given.on.ended(UUID(other)))
        assert await given.counts(held) == (0, 1)


async def test_two_who_pause_and_resume_at_once_leave_the_gates_as_the_ledger_says() -> None:
    """However they are interleaved."""
    act = Gated()
    async with process(World(), act) as given:
        execution_id = await given.started()
        for _ in range(10):
            await asyncio.gather(
                *(
                    given.pausing.change_route("second", is_paused=bool(number % 2), id_or_tag=execution_id)
                    for number in range(6)
                )
            )
            gate = given.on.engine.gates.of(UUID(execution_id))["second"]
            in_force = await given.pausing.pauses.in_force([UUID(execution_id)])
            assert gate.is_open is (in_force == [])


async def test_a_pause_made_by_another_process_is_seen_with_the_next_look() -> None:
    """It is in the ledger, and that is what counts."""
    world, act = World(), Gated()
    act.go.set()
    async with process(world, act) as given:
        await given.configs.create(name="one", yaml=YAML)
        await world.pauses.pause(PauseScope(route_id="second"), now=given.on.engine.ports.clock.now())
        execution_id = await given.started()
        await world.pauses.resume(PauseScope(route_id="second"))
        assert await given.counts(execution_id) == (1, 6)
        await given.route_pauses.apply(given.on.engine.running)
        assert ended_well(await given.on.ended(UUID(execution_id)))


async def test_names_that_are_not_known_are_not_paused() -> None:
    """Neither executions nor routes."""
    async with process(World(), Gated()) as given:
        execution_id = await given.started()
        with pytest.raises(RouteNotFound):
            await given.pausing.change_route("nobody", is_paused=True)
        with pytest.raises(RouteNotFound):
            await given.pausing.change_route("nobody", is_paused=True, id_or_tag=execution_id)
        with pytest.raises(ExecutionNotFound):
            await given.pausing.change_execution(str(uuid4()), is_paused=True)


async def test_who_is_replaced_takes_no_more_messages() -> None:
    """Neither of the runs it has nor of one that begins later, and its health says so."""
    act, lost = Gated(), asyncio.Event()
    async with process(World(), act) as given:
        execution_id = await given.started()
        await act.has_begun.wait()
        recovery = Recovery(engine=given.on.engine, leases=MemoryLeases(), is_alone=True)

        async def until_lost() -> None:
            await lost.wait()

        async with StandingDown(lost=until_lost, recovery=recovery, route_pauses=given.route_pauses):
            lost.set()
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            act.go.set()
            assert (await given.counts(execution_id))[1] == 4
            later = await given.started()
            assert await given.counts(later) == (0, 1)
            health = await OrchestratorReadiness(
                engine=given.on.engine, route_pauses=given.route_pauses
            ).check()
            assert health.health is Health.UNHEALTHY
            assert health.message
            assert "another one works on the database" in health.message
