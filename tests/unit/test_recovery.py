"""What recovery does with leases, with what the dead had claimed, and with executions that nobody runs."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest

from adapters.memory.leases import MemoryLeases
from adapters.memory.ledger import MemoryLedger
from application.engine.engine import Engine
from application.engine.recovery import Recovery
from application.ports.execution_ledger import Recovered
from application.ports.leases import UNKNOWN, Lease, WorkerFacts
from application.ports.ledger import ClaimRequest
from application.ports.pipeline_adapter import AdapterResult, PipelineContext
from domain.errors import Unavailable
from domain.execution import Execution, ExecutionStatus
from domain.json import JsonObject
from domain.message import Message, init_message_id
from tests.unit.engines import bench, route

LONG_AGO = datetime(2026, 1, 1, tzinfo=UTC)
SNAPSHOT: JsonObject = {
    "pipeline": {
        "version": "1.0",
        "routes": {"only": {"inbound": {"queue": "only"}, "adapters": [{"type": "act"}]}},
        "init_message": {"route": "only", "payload": {}},
    },
    "pipeline_adapters": {"act": "act 1"},
}


@dataclass
class FailingLeases:
    """Leases in memory that cannot be reached while they are told so."""

    inner: MemoryLeases = field(default_factory=MemoryLeases)
    is_away: bool = False

    async def hold(
        self,
        owner: UUID,
        *,
        until: datetime,
        executions: Collection[UUID] = (),
        worker: WorkerFacts = UNKNOWN,
    ) -> None:
        self._ask()
        await self.inner.hold(owner, until=until, executions=executions, worker=worker)

    async def give_up(self, owner: UUID) -> None:
        self._ask()
        await self.inner.give_up(owner)

    async def holders(self, *, now: datetime) -> Sequence[Lease]:
        self._ask()
        return await self.inner.holders(now=now)

    async def forget(self, *, before: datetime) -> None:
        self._ask()
        await self.inner.forget(before=before)

    def _ask(self) -> None:
        if self.is_away:
            raise Unavailable


@dataclass
class Unrenewable(FailingLeases):
    """Leases that tell of others while one's own cannot be renewed."""

    async def holders(self, *, now: datetime) -> Sequence[Lease]:
        return await self.inner.holders(now=now)


class BusyLedger(MemoryLedger):
    """A ledger that lets a sweep wait until it is free."""

    def __init__(self) -> None:
        super().__init__()
        self.is_free = asyncio.Event()
        self.is_free.set()
        self.looks = 0

    async def sweep(
        self,
        *,
        live_owners: Sequence[UUID],
        now: datetime,
        kept: Collection[UUID] | None = None,
        begun_by: datetime | None = None,
    ) -> Sequence[Recovered]:
        await self.is_free.wait()
        self.looks += 1
        return await super().sweep(live_owners=live_owners, kept=kept, begun_by=begun_by, now=now)


@dataclass
class Clockwork:
    """A clock that stands still until it is told to go on; sleeping lets others have their turn."""

    at: datetime = LONG_AGO + timedelta(days=1)
    _sleepers: list[tuple[datetime, asyncio.Event]] = field(default_factory=list)

    def now(self) -> datetime:
        return self.at

    def monotonic(self) -> float:
        return self.at.timestamp()

    async def sleep(self, seconds: float) -> None:
        awake = asyncio.Event()
        self._sleepers.append((self.at + timedelta(seconds=seconds), awake))
        await awake.wait()

    async def passes(self, seconds: float) -> None:
        """Let time pass, and whatever is due by then happen."""
        await settled_loop()
        end = self.at + timedelta(seconds=seconds)
        while self.at < end:
            due = [until for until, _ in self._sleepers if until <= end]
            self.at = max(self.at, min(due, default=end))
            for sleeper in [one for one in self._sleepers if one[0] <= self.at]:
                self._sleepers.remove(sleeper)
                sleeper[1].set()
            await settled_loop()


async def settled_loop() -> None:
    """Let everything that can go on do so."""
    for _ in range(50):
        await asyncio.sleep(0)


async def hanging(context: PipelineContext) -> AdapterResult:
    await asyncio.Event().wait()
    return AdapterResult(message=context.message)


async def passing(context: PipelineContext) -> AdapterResult:
    return AdapterResult(message=context.message)


async def left_behind(ledger: MemoryLedger, *, claimed_by: UUID | None = None) -> Execution:
    """A running execution of another process with its init message, claimed or waiting."""
    execution = Execution(id=uuid4(), config_id=uuid4(), config_snapshot=SNAPSHOT, started_at=LONG_AGO)
    message_id = init_message_id(execution.id)
    init = Message(id=message_id, execution_id=execution.id, route_id="only", payload={})
    started = await ledger.start(execution, init)
    if claimed_by is not None:
        await ledger.claim(
            [ClaimRequest(message_id=message_id, token=uuid4())], owner=claimed_by, now=LONG_AGO
        )
    return started


def with_clock(engine: Engine, clock: Clockwork) -> Engine:
    """Recovery reads the clock of the engine's ports."""
    object.__setattr__(engine.ports, "clock", clock)
    return engine


async def told(recovery: Recovery, events: list[str]) -> None:
    """Note every event of executions."""
    async with recovery.engine.ports.events.listen() as stream:
        async for event in stream:
            events += [event.type] if event.type.startswith("execution.") else []


async def test_who_is_alone_takes_everything_over_at_once() -> None:
    """Whatever leases say: their holders are dead."""
    ledger, leases, gone = MemoryLedger(), MemoryLeases(), uuid4()
    left = await left_behind(ledger, claimed_by=gone)
    await leases.hold(gone, until=datetime.now(UTC) + timedelta(hours=1), executions=[left.id])
    async with (
        bench({"act": passing}, ledger=ledger, executions=ledger) as on,
        Recovery(engine=on.engine, leases=leases, is_alone=True),
    ):
        assert (await on.ended(left.id)).status is ExecutionStatus.COMPLETED
        assert [lease.owner for lease in await leases.holders(now=datetime.now(UTC))] == [
            on.engine.ports.owner
        ]
    assert await leases.holders(now=datetime.now(UTC)) == []


async def test_what_a_living_worker_runs_is_left_to_it() -> None:
    """Its claims and its executions."""
    ledger, leases, other, clock = MemoryLedger(), MemoryLeases(), uuid4(), Clockwork()
    left = await left_behind(ledger, claimed_by=other)
    await leases.hold(other, until=clock.at + timedelta(hours=1), executions=[left.id])
    async with (
        bench({"act": passing}, ledger=ledger, executions=ledger) as on,
        Recovery(engine=with_clock(on.engine, clock), leases=leases, is_alone=False),
    ):
        await clock.passes(60)
        seen = await on.seen(left.id)
        assert (seen.status, seen.counts.outstanding) == (ExecutionStatus.RUNNING, 1)
        assert on.engine.running == []


async def test_an_execution_whose_workers_are_gone_is_interrupted_and_resumed_by_a_living_one() -> None:
    """When the last of their leases has run out, and not before."""
    ledger, leases, clock, events = MemoryLedger(), MemoryLeases(), Clockwork(), list[str]()
    first, last = uuid4(), uuid4()
    left = await left_behind(ledger, claimed_by=first)
    await leases.hold(first, until=clock.at + timedelta(seconds=5), executions=[left.id])
    await leases.hold(last, until=clock.at + timedelta(seconds=40), executions=[left.id])
    async with bench({"act": hanging}, ledger=ledger, executions=ledger) as on:
        recovery = Recovery(engine=with_clock(on.engine, clock), leases=leases, is_alone=False)
        async with recovery:
            listening = asyncio.create_task(told(recovery, events))
            await clock.passes(35)
            assert (events, list(on.engine.running)) == ([], [])
            await clock.passes(15)
            assert list(on.engine.running) == [left.id]
            assert (await on.seen(left.id)).status is ExecutionStatus.RUNNING
            assert events == ["execution.interrupted"]
            listening.cancel()


async def test_of_two_workers_one_resumes_an_interrupted_execution() -> None:
    """The status is set back once."""
    ledger, leases = MemoryLedger(), MemoryLeases()
    left = await left_behind(ledger)
    await ledger.conclude(left.id, ExecutionStatus.INTERRUPTED, now=LONG_AGO)
    async with (
        bench({"act": hanging}, ledger=ledger, executions=ledger) as one,
        bench({"act": hanging}, ledger=ledger, executions=ledger) as other,
        Recovery(engine=one.engine, leases=leases, is_alone=False),
        Recovery(engine=other.engine, leases=leases, is_alone=False),
    ):
        assert sorted([len(one.engine.running), len(other.engine.running)]) == [0, 1]


async def test_nobody_is_judged_by_who_could_not_renew_its_own_lease() -> None:
    """The database was away: the others come back as we do, and what they had claimed is theirs."""
    ledger, other, clock = MemoryLedger(), uuid4(), Clockwork()
    leases = FailingLeases()
    left = await left_behind(ledger, claimed_by=other)

    async def other_renews() -> None:
        await leases.inner.hold(other, until=clock.at + timedelta(seconds=15), executions=[left.id])

    await other_renews()
    async with (
        bench({"act": passing}, ledger=ledger, executions=ledger) as on,
        Recovery(engine=with_clock(on.engine, clock), leases=leases, is_alone=False),
    ):
        for _ in range(5):
            await clock.passes(5)
            await other_renews()
        leases.is_away = True
        await clock.passes(30)
        leases.is_away = False
        await clock.passes(6)
        await other_renews()
        for _ in range(5):
            await clock.passes(5)
            await other_renews()
        seen = await on.seen(left.id)
    assert (seen.status, seen.counts.outstanding) == (ExecutionStatus.RUNNING, 1)
    assert await ledger.suspects([left.id], limit=9, now=clock.at) == []
    assert await ledger.waiting(left.id, "only", limit=9, now=clock.at) == []


@pytest.mark.parametrize("is_alone", [True, False])
async def test_ones_own_claims_hold_over_a_long_outage(is_alone: bool) -> None:
    """Whoever could not renew its lease does not sweep itself."""
    clock, leases = Clockwork(), FailingLeases()
    release = asyncio.Event()

    async def waiting(context: PipelineContext) -> AdapterResult:
        await release.wait()
        return AdapterResult(message=context.message)

    async with (
        bench({"act": waiting}) as on,
        Recovery(engine=with_clock(on.engine, clock), leases=leases, is_alone=is_alone),
    ):
        started = await on.start(route("only", "act"))
        await clock.passes(6)
        leases.is_away = True
        await clock.passes(60)
        leases.is_away = False
        await clock.passes(60)
        assert (await on.seen(started.id)).status is ExecutionStatus.RUNNING
        release.set()
        ended = await on.ended(started.id)
    assert (ended.status, ended.counts.done) == (ExecutionStatus.COMPLETED, 1)


async def test_an_execution_that_was_taken_for_abandoned_and_is_not_is_running_again() -> None:
    """Another worker could not see our lease; whoever has its processors sets its status back."""
    clock, leases, ledger = Clockwork(), MemoryLeases(), MemoryLedger()
    async with (
        bench({"act": hanging}, ledger=ledger, executions=ledger) as on,
        Recovery(engine=with_clock(on.engine, clock), leases=leases, is_alone=False),
    ):
        left = await left_behind(ledger)
        await ledger.conclude(left.id, ExecutionStatus.INTERRUPTED, now=clock.at)
        await clock.passes(6)
        assert list(on.engine.running) == [left.id]
        await ledger.conclude(left.id, ExecutionStatus.INTERRUPTED, now=clock.at)
        await clock.passes(6)
        assert (await on.seen(left.id)).status is ExecutionStatus.RUNNING


async def test_chores_are_done_at_the_start_and_with_every_renewal() -> None:
    """One that fails keeps neither the others nor the lease from their turn."""
    clock, leases, done = Clockwork(), MemoryLeases(), list[datetime]()

    async def failing() -> None:
        raise RuntimeError("boom")

    async def chore() -> None:
        done.append(clock.at)

    async with bench({}) as on:
        engine = with_clock(on.engine, clock)
        async with Recovery(engine=engine, leases=leases, is_alone=True, chores=[failing, chore]):
            await settled_loop()
            assert len(done) == 1
            await clock.passes(10.5)
            assert len(done) == 3
            assert len(await leases.holders(now=clock.at)) == 1


async def test_a_lease_is_renewed_whatever_else_has_to_wait() -> None:
    """A look at the ledger that does not come to an end keeps the process from nothing but the next look."""
    clock, leases, ledger = Clockwork(), MemoryLeases(), BusyLedger()
    async with (
        bench({}, ledger=ledger, executions=ledger) as on,
        Recovery(engine=with_clock(on.engine, clock), leases=leases, is_alone=False),
    ):
        await clock.passes(20)
        ledger.is_free.clear()
        await clock.passes(60)
        assert [lease.owner for lease in await leases.holders(now=clock.at)] == [on.engine.ports.owner]
        looks = ledger.looks
        ledger.is_free.set()
        await clock.passes(6)
        assert ledger.looks > looks


async def test_who_does_not_hold_its_own_lease_takes_nothing_from_others() -> None:
    """The ledger may be reached when leases are not."""
    ledger, other, clock, leases = MemoryLedger(), uuid4(), Clockwork(), Unrenewable()
    left = await left_behind(ledger, claimed_by=other)
    await leases.inner.hold(other, until=clock.at + timedelta(seconds=35), executions=[left.id])
    async with (
        bench({"act": passing}, ledger=ledger, executions=ledger) as on,
        Recovery(engine=with_clock(on.engine, clock), leases=leases, is_alone=False),
    ):
        await clock.passes(20)
        leases.is_away = True
        await clock.passes(60)
        seen = await on.seen(left.id)
        assert (seen.status, seen.counts.outstanding) == (ExecutionStatus.RUNNING, 1)
        leases.is_away = False
        await clock.passes(30)
        assert (await on.ended(left.id)).status is ExecutionStatus.COMPLETED


async def test_who_stands_down_renews_nothing_and_takes_nothing() -> None:
    """Another server has taken its place."""
    clock, leases, ledger = Clockwork(), MemoryLeases(), MemoryLedger()
    async with (
        bench({"act": passing}, ledger=ledger, executions=ledger) as on,
        Recovery(engine=with_clock(on.engine, clock), leases=leases, is_alone=True) as recovery,
    ):
        await recovery.stand_down()
        await left_behind(ledger, claimed_by=uuid4())
        await clock.passes(60)
        assert await leases.holders(now=clock.at) == []
        assert on.engine.running == []
