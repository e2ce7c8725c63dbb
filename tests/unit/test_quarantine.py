"""Messages that processes may have died of run alone, and the guilty ones do not run again."""

from __future__ import annotations

import asyncio
from uuid import UUID, uuid4

import pytest

from adapters.memory.dead_letters import MemoryDeadLetters
from adapters.memory.ledger import MemoryLedger
from adapters.system.clock import SystemClock
from application.engine.quarantine import NotQuiet, Quarantine
from application.engine.route_gate import QUARANTINE, RouteGate
from application.engine.route_gates import RouteGates
from application.engine.suspects import Suspects
from application.ports.ledger import ClaimRequest
from application.ports.pipeline_adapter import AdapterResult, PipelineContext
from domain.crash import Suspect
from domain.execution import ExecutionStatus
from domain.pipeline import Inbound, Route
from tests.unit.engines import Bench, bench, ended_well, route
from tests.unit.test_engine import fanning
from tests.unit.test_recovery import Clockwork


def ledger_of(on: Bench) -> MemoryLedger:
    assert isinstance(on.engine.ports.ledger, MemoryLedger)
    return on.engine.ports.ledger


async def at_work(quarantine: Quarantine, done: asyncio.Event) -> None:
    """An ordinary message."""
    if not quarantine.is_open:
        await quarantine.opened()
    quarantine.enter()
    await done.wait()
    quarantine.leave()


async def settled_loop() -> None:
    """Let everything that can go on do so."""
    for _ in range(10):
        await asyncio.sleep(0)


async def test_a_suspect_waits_for_those_at_work_and_newcomers_wait_for_it() -> None:
    """So that it is alone."""
    quarantine = Quarantine(gates=RouteGates(), clock=SystemClock())
    done, others = asyncio.Event(), asyncio.Event()
    first = asyncio.create_task(at_work(quarantine, done))
    await settled_loop()
    order: list[str] = []

    async def alone() -> None:
        async with quarantine.alone():
            order.append(f"alone with {quarantine.at_work}")
            await settled_loop()
            order.append(f"still with {quarantine.at_work}")

    suspected = asyncio.create_task(alone())
    await settled_loop()
    later = asyncio.create_task(at_work(quarantine, others))
    await settled_loop()
    assert (order, quarantine.at_work) == ([], 1)
    done.set()
    await asyncio.gather(first, suspected)
    assert order == ["alone with 0", "still with 0"]
    await settled_loop()
    assert quarantine.at_work == 1
    others.set()
    await later


async def test_two_suspects_are_not_alone_together() -> None:
    """They take turns."""
    quarantine = Quarantine(gates=RouteGates(), clock=SystemClock())
    inside, most = 0, 0

    async def alone() -> None:
        nonlocal inside, most
        async with quarantine.alone():
            inside += 1
            most = max(most, inside)
            await settled_loop()
            inside -= 1

    await asyncio.gather(*(alone() for _ in range(5)))
    assert most == 1
    assert quarantine.is_open


async def test_what_never_ends_does_not_keep_the_others_out_for_ever() -> None:
    """The suspect waits for another time."""
    quarantine = Quarantine(gates=RouteGates(), clock=SystemClock())
    quarantine.enter()
    with pytest.raises(NotQuiet):
        async with quarantine.alone(patience_seconds=0.01):
            raise AssertionError("not alone")
    assert quarantine.is_open


async def test_a_quarantine_that_is_not_wanted_any_more_ends() -> None:
    """The suspects may be cancelled while it waits."""
    quarantine = Quarantine(gates=RouteGates(), clock=SystemClock())
    quarantine.enter()

    async def is_wanted() -> bool:
        return False

    with pytest.raises(NotQuiet):
        async with quarantine.alone(is_wanted=is_wanted):
            raise AssertionError("not alone")
    assert quarantine.is_open


async def test_every_gate_is_closed_while_a_suspect_runs() -> None:
    """So that what was prefetched is handed back; and the gates open again, also after an error."""
    gates, execution_id = RouteGates(), uuid4()
    first = Route(id="first", name="first", inbound=Inbound(queue="first"), adapters=[])
    gate = RouteGate(execution_id, first, clock=SystemClock())
    gates.keep(execution_id, {"first": gate})
    quarantine = Quarantine(gates=gates, clock=SystemClock())

    async def fail() -> None:
        async with quarantine.alone():
            assert gate.status().paused_by == [QUARANTINE]
            raise RuntimeError("boom")

    with pytest.raises(RuntimeError, match="boom"):
        await fail()
    assert gate.is_open
    assert quarantine.is_open


async def crashed(on: Bench, times: int, *messages: UUID) -> None:
    """Let so many processes die with these messages."""
    ports, now = on.engine.ports, on.engine.ports.clock.now()
    for _ in range(times):
        requests = [ClaimRequest(message_id=one, token=uuid4(), alone=True) for one in messages]
        assert len(await ports.ledger.claim(requests, owner=uuid4(), now=now)) == len(messages)
        await ports.executions.sweep(live_owners=[ports.owner], now=now)


async def with_messages(on: Bench, numbers: int, *, concurrency: int = 5) -> tuple[UUID, list[UUID]]:
    """A running execution whose route ``act`` has so many messages, none of which is taken yet."""
    started = await on.start(route("first", "fan", to="act"), route("act", "act", concurrency=concurrency))
    on.engine.gates.of(started.id)["act"].pause("test")
    ports = on.engine.ports
    async with asyncio.timeout(10):
        while (await on.seen(started.id)).counts.done < 1:  # noqa: ASYNC110
            await asyncio.sleep(0.005)
    waiting = await ports.ledger.waiting(started.id, "act", limit=100, now=ports.clock.now())
    assert len(waiting) == numbers
    return started.id, list(waiting)


@pytest.mark.parametrize(("crashes", "together"), [(2, 3), (3, 1)])
async def test_suspects_run_apart_and_the_others_as_ever(crashes: int, together: int) -> None:
    """At first with other suspects, as many as the route works on at once, and with one more crash alone."""
    beside: dict[object, int] = {}

    async def act(context: PipelineContext) -> AdapterResult:
        await settled_loop()
        await asyncio.sleep(0.02)
        beside[context.message["number"]] = on.engine.quarantine.at_work
        await asyncio.sleep(0.02)
        return AdapterResult(message=context.message)

    async with bench({"fan": fanning(8), "act": act}) as on:
        execution_id, messages = await with_messages(on, 8, concurrency=3)
        await crashed(on, crashes, *messages[:5])
        await crashed(on, 1, *messages[5:])
        on.engine.gates.of(execution_id)["act"].resume("test")
        on.engine.look_in_ledger(execution_id)
        assert await Suspects(engine=on.engine).look() == 5
        ended = await on.ended(execution_id)
        assert await Suspects(engine=on.engine).look() == 0
    assert ended_well(ended)
    assert max(beside[number] for number in range(5)) == together
    assert len(beside) == 8


async def test_a_guilty_message_is_dead_and_its_neighbours_are_done() -> None:
    """It does not run again, and tells what it is dead of."""
    seen: list[object] = []

    async def act(context: PipelineContext) -> AdapterResult:
        seen.append(context.message["number"])
        return AdapterResult(message=context.message)

    async with bench({"fan": fanning(4), "act": act}) as on:
        execution_id, messages = await with_messages(on, 4)
        await crashed(on, 2, *messages)
        await crashed(on, 2, messages[1])
        on.engine.gates.of(execution_id)["act"].resume("test")
        assert await Suspects(engine=on.engine).look() == 4
        ended = await on.ended(execution_id)
        letter = await MemoryDeadLetters(ledger_of(on)).get(messages[1])
    assert (ended.counts.done, ended.counts.dead) == (4, 1)
    assert sorted(map(str, seen)) == ["0", "2", "3"]
    assert letter.error["code"] == "worker_died"


async def test_a_suspect_of_a_paused_route_waits_and_keeps_nobody_out() -> None:
    """Until the route is resumed."""

    async def act(context: PipelineContext) -> AdapterResult:
        return AdapterResult(message=context.message)

    async with bench({"fan": fanning(1), "act": act}) as on:
        execution_id, messages = await with_messages(on, 1)
        await crashed(on, 2, *messages)
        assert await Suspects(engine=on.engine).look() == 0
        on.engine.gates.of(execution_id)["act"].resume("test")
        assert await Suspects(engine=on.engine).look() == 1
        assert ended_well(await on.ended(execution_id))


async def test_suspects_that_cannot_be_alone_leave_the_others_their_time() -> None:
    """They are not tried again at once."""
    clock = Clockwork()

    async def act(context: PipelineContext) -> AdapterResult:
        return AdapterResult(message=context.message)

    async with bench({"fan": fanning(1), "act": act}) as on:
        execution_id, messages = await with_messages(on, 1)
        await crashed(on, 2, *messages)
        on.engine.gates.of(execution_id)["act"].resume("test")
        object.__setattr__(on.engine.ports, "clock", clock)
        on.engine.quarantine.clock = clock
        suspects = Suspects(engine=on.engine)
        on.engine.quarantine.enter()
        looking = asyncio.create_task(suspects.look())
        await clock.passes(10)
        assert on.engine.gates.of(execution_id)["act"].status().paused_by == [QUARANTINE]
        await clock.passes(25)
        assert await looking == 0
        assert on.engine.quarantine.is_open
        on.engine.quarantine.leave()
        assert await suspects.look() == 0
        await clock.passes(30)
        assert await suspects.look() == 1


async def test_a_suspect_of_a_cancelled_run_is_let_go() -> None:
    """Also while it runs alone."""
    begun = asyncio.Event()

    async def act(context: PipelineContext) -> AdapterResult:
        begun.set()
        await asyncio.Event().wait()
        return AdapterResult(message=context.message)

    async with bench({"fan": fanning(2), "act": act}) as on:
        execution_id, messages = await with_messages(on, 2)
        await crashed(on, 2, *messages)
        on.engine.gates.of(execution_id)["act"].resume("test")
        looking = asyncio.create_task(Suspects(engine=on.engine).look())
        await begun.wait()
        now = on.engine.ports.clock.now()
        await on.engine.ports.executions.conclude(execution_id, ExecutionStatus.CANCELLED, now=now)
        on.engine.stop(execution_id, ExecutionStatus.CANCELLED)
        ended = await on.ended(execution_id)
        async with asyncio.timeout(5):
            await looking
        assert on.engine.quarantine.is_open
        assert on.engine.quarantine.at_work == 0
    assert (ended.counts.cancelled, ended.counts.done) == (2, 1)


async def test_a_run_that_begins_while_a_suspect_is_alone_waits_for_it() -> None:
    """Its gates are as closed as those of the others."""

    async def act(context: PipelineContext) -> AdapterResult:
        return AdapterResult(message=context.message)

    async with bench({"act": act}) as on:
        async with on.engine.quarantine.alone():
            started = await on.start(route("only", "act"))
            await asyncio.sleep(0.02)
            assert (await on.seen(started.id)).counts.outstanding == 1
            assert on.engine.quarantine.at_work == 0
        assert ended_well(await on.ended(started.id))


@pytest.mark.parametrize(
    ("crashes", "max_retries", "may"), [(2, 3, True), (2, 2, False), (2, 0, False), (3, 9, False)]
)
def test_a_suspect_has_company_once_and_only_if_that_cannot_convict_it(
    crashes: int, max_retries: int, may: bool
) -> None:
    """Whoever is convicted was alone the last time."""
    suspect = Suspect(message_id=uuid4(), execution_id=uuid4(), route_id="act", crashes=crashes)
    assert suspect.may_have_company(max_retries) is may


@pytest.mark.parametrize(
    ("crashes", "max_retries", "is_guilty"),
    [
        (1, 0, False),
        (2, 0, False),
        (3, 0, True),
        (3, 3, False),
        (4, 3, True),
        (10, 10, False),
        (11, 10, True),
    ],
)
def test_no_message_is_guilty_by_crashes_in_company_alone(
    crashes: int, max_retries: int, is_guilty: bool
) -> None:
    """Even on a route without retries one death must have come when nothing else was at work."""
    suspect = Suspect(message_id=uuid4(), execution_id=uuid4(), route_id="first", crashes=crashes)
    assert suspect.is_guilty(max_retries) is is_guilty
