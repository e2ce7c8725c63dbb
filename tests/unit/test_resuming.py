"""What becomes of executions that change while they are taken up, and of the lease of who takes its time over them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from uuid import UUID, uuid4

import pytest

from adapters.memory.leases import MemoryLeases
from adapters.memory.ledger import MemoryLedger
from adapters.memory.message_queue import InProcessMessageQueue
from application.engine.recovery import Recovery
from application.engine.resuming import Resuming
from application.engine.signals import SignalKind
from application.ports.ledger import ClaimRequest
from application.ports.pipeline_adapter import BuiltAdapter, RouteContext
from domain.execution import Execution, ExecutionStatus
from domain.json import JsonObject
from domain.message import Outcome, Settlement, init_message_id
from tests.unit.engines import ActingAdapter, Acts, bench
from tests.unit.test_recovery import (
    LONG_AGO,
    Clockwork,
    FailingLeases,
    hanging,
    left_behind,
    passing,
    settled_loop,
    with_clock,
)
from tests.unit.test_sharing import SharedQueue


@dataclass(frozen=True, slots=True)
class SlowToOpen(ActingAdapter):
    """A pipeline adapter that opens when it is let."""

    gate: asyncio.Event

    async def open(self, context: RouteContext) -> None:
        del context
        await self.gate.wait()

    async def close(self) -> None:
        """Nothing is open."""


@dataclass(frozen=True, slots=True)
class SlowActs(Acts):
    """A registry of functions that open slowly."""

    gate: asyncio.Event = field(default_factory=asyncio.Event)

    def build(self, type: str, config: JsonObject) -> BuiltAdapter:
        del config
        return SlowToOpen(self.acts[type], self.gate)


class OvertakenLedger(MemoryLedger):
    """Whoever asks it what is unfinished is told so late that it has ended."""

    async def unfinished(self) -> list[Execution]:
        found = list(await super().unfinished())
        for execution in found:
            message_id, token = init_message_id(execution.id), uuid4()
            request = ClaimRequest(message_id=message_id, token=token)
            await self.claim([request], owner=uuid4(), now=LONG_AGO)
            done = Settlement(
                message_id=message_id, execution_id=execution.id, token=token, outcome=Outcome.DONE
            )
            await self.settle([done], now=LONG_AGO)
        return found


@pytest.mark.parametrize("queue", [SharedQueue, InProcessMessageQueue])
async def test_what_ends_between_being_read_and_being_looked_at_has_ended(
    queue: Callable[[], InProcessMessageQueue],
) -> None:
    """It was interrupted when it was read; nobody would ever end it again."""
    ledger = OvertakenLedger()
    left = await left_behind(ledger)
    await ledger.conclude(left.id, ExecutionStatus.INTERRUPTED, now=LONG_AGO)
    async with bench({"act": passing}, ledger=ledger, executions=ledger, queue=queue()) as on:
        await Resuming(engine=on.engine, is_alone=True).all()
        await settled_loop()
        seen = await on.seen(left.id)
        assert on.engine.running == []
    assert (seen.status, seen.completed_at) == (ExecutionStatus.COMPLETED, LONG_AGO)


@pytest.mark.parametrize("when", ["at the start", "at a look", "when it is heard of"])
async def test_the_lease_is_renewed_while_an_execution_that_opens_slowly_is_taken_up(when: str) -> None:
    """For as long as it takes: the others would take away what is at work here."""
    clock, leases, ledger, acts = Clockwork(), MemoryLeases(), MemoryLedger(), SlowActs({"act": hanging})

    async def read(execution_id: UUID) -> Execution:
        return ledger.executions[execution_id]

    if when == "at the start":
        await left_behind(ledger)
    async with bench({}, ledger=ledger, executions=ledger, registry=acts) as on:
        recovery = Recovery(engine=with_clock(on.engine, clock), leases=leases, is_alone=True, read=read)
        entering = asyncio.create_task(recovery.__aenter__())
        await settled_loop()
        assert entering.done() is (when != "at the start")
        if when != "at the start":
            left = await left_behind(ledger)
            if when == "when it is heard of":
                on.engine.signals.note(SignalKind.EXECUTION, left.id)
        await clock.passes(60)
        (lease,) = await leases.holders(now=clock.at)
        assert list(lease.executions) == list(ledger.executions)
        assert len(on.engine.joined) == 1
        acts.gate.set()
        await entering
        await recovery.__aexit__(None, None, None)


class UnrenewableLeases(FailingLeases):
    """Leases that can be read while they cannot be renewed."""

    def _ask(self) -> None:
        """Let the others pass."""

    async def hold(self, owner: UUID, **said: object) -> None:
        FailingLeases._ask(self)
        await self.inner.hold(owner, **said)  # type: ignore[arg-type]  # as they came


async def test_who_can_look_and_cannot_renew_judges_nobody() -> None:
    """The others may be unable to as well."""
    ledger, other, clock = MemoryLedger(), uuid4(), Clockwork()
    leases = UnrenewableLeases()
    left = await left_behind(ledger, claimed_by=other)
    await leases.inner.hold(other, until=clock.at + timedelta(seconds=40), executions=[left.id])
    async with (
        bench({"act": passing}, ledger=ledger, executions=ledger) as on,
        Recovery(engine=with_clock(on.engine, clock), leases=leases, is_alone=False),
    ):
        await clock.passes(32)
        leases.is_away = True
        await clock.passes(12)
        assert other not in {lease.owner for lease in await leases.holders(now=clock.at)}
        seen = await on.seen(left.id)
        assert (seen.status, seen.counts.outstanding, on.engine.running) == (ExecutionStatus.RUNNING, 1, [])
        leases.is_away = False
        await clock.passes(30)
        assert (await on.ended(left.id)).status is ExecutionStatus.COMPLETED


class SlowToDiscard(MemoryLedger):
    """Settles nothing that a cancelled execution has left until it is let."""

    def __init__(self) -> None:
        super().__init__()
        self.gate = asyncio.Event()

    async def discard_queued(self, execution_id: UUID, **said: object) -> int:
        if self.executions[execution_id].status is ExecutionStatus.CANCELLED:
            await self.gate.wait()
        return await super().discard_queued(execution_id, **said)  # type: ignore[arg-type]  # as they came


async def test_what_an_ended_execution_has_left_keeps_nobody_from_being_taken_up() -> None:
    """However much it is, it is settled behind the others."""
    ledger = SlowToDiscard()
    cancelled, left = await left_behind(ledger), await left_behind(ledger)
    await ledger.conclude(cancelled.id, ExecutionStatus.CANCELLED, now=LONG_AGO)
    async with (
        asyncio.timeout(5),
        bench({"act": passing}, ledger=ledger, executions=ledger) as on,
        Recovery(engine=on.engine, leases=MemoryLeases(), is_alone=True),
    ):
        assert (await on.ended(left.id)).counts.done == 1
        assert (await on.seen(cancelled.id)).counts.outstanding == 1
        ledger.gate.set()
        assert (await on.ended(cancelled.id)).counts.cancelled == 1
