"""Ends and cancellations that come at an awkward moment."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from uuid import UUID

import pytest

from adapters.memory.clock import ManualClock
from application.engine import engine as engine_module
from application.engine.ports import EnginePorts
from application.engine.route_feed import RouteFeed
from application.ports.pipeline_adapter import AdapterResult, Emission, PipelineContext
from domain.execution import ExecutionStatus, MessageCounts
from tests.proof.lives import Life, Moment
from tests.proof.model import YAML, Answer, Kind
from tests.proof.process import NumberedIds, Process, opened_process
from tests.proof.stores import Store, memory_store, opened_store
from tests.unit.engines import Act, bench, route


@pytest.fixture(params=["memory", pytest.param("postgres", marks=pytest.mark.slow)])
async def store(request: pytest.FixtureRequest) -> AsyncIterator[Store]:
    """Each store there is."""
    async with opened_store(request.param, lambda: request.getfixturevalue("postgres_url")) as opened:
        yield opened


async def fanning(context: PipelineContext) -> AdapterResult:
    """Emit a few messages."""
    emitted = [Emission(payload={"number": number}) for number in range(20)]
    return AdapterResult(message=context.message, emitted=emitted)


async def hanging(context: PipelineContext) -> AdapterResult:
    """Do not come to an end."""
    await asyncio.Event().wait()
    return AdapterResult(message=context.message)


async def until(life: Life) -> None:
    """Return when a life has frozen."""
    async with asyncio.timeout(10):
        await life.frozen.wait()


@pytest.mark.parametrize("is_after", [False, True], ids=["before", "after"])
async def test_a_claim_in_flight_at_a_cancel_is_given_back(store: Store, is_after: bool) -> None:
    """Its answer comes when the run is being closed: the message is cancelled, and nothing is left outstanding."""
    life = Life()
    acts: dict[str, Act] = {"fan": fanning, "hang": hanging}
    async with bench(acts, ledger=life.port(store.ledger), executions=store.executions, capacity=8) as on:
        life.freezes_at = Moment("claim", is_after=is_after)
        started = await on.start(route("a", "fan", to="b"), route("b", "hang"))
        await until(life)
        now = on.engine.ports.clock.now()
        await store.executions.conclude(started.id, ExecutionStatus.CANCELLED, now=now)
        on.engine.stop(started.id, ExecutionStatus.CANCELLED)
        await asyncio.sleep(0.01)
        life.thaw()
        ended = await on.ended(started.id)
        assert not on.engine.running
    assert (ended.status, ended.counts.outstanding) == (ExecutionStatus.CANCELLED, 0)
    assert {row.state for row in (await store.rows()).values()} <= {"cancelled", "done"}


@pytest.mark.parametrize(("is_after", "done", "cancelled"), [(False, 0, 1), (True, 1, 20)])
async def test_a_settlement_in_flight_at_a_cancel_leaves_nothing_outstanding(
    store: Store, is_after: bool, done: int, cancelled: int
) -> None:
    """One that comes too late has no children; those of one that was in time are cancelled."""
    life = Life()
    acts: dict[str, Act] = {"fan": fanning, "hang": hanging}
    async with bench(acts, ledger=life.port(store.ledger), executions=store.executions, capacity=8) as on:
        life.freezes_at = Moment("settle", is_after=is_after)
        started = await on.start(route("a", "fan", to="b"), route("b", "hang"))
        await until(life)
        now = on.engine.ports.clock.now()
        await store.executions.conclude(started.id, ExecutionStatus.CANCELLED, now=now)
        on.engine.stop(started.id, ExecutionStatus.CANCELLED)
        await asyncio.sleep(0.01)
        life.thaw()
        ended = await on.ended(started.id)
    assert ended.counts == MessageCounts(done=done, cancelled=cancelled)


async def test_closing_does_not_wait_for_ever_for_a_ledger_that_is_away(
    store: Store, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """It says what was not handed back; the next process takes it up."""
    monkeypatch.setattr(engine_module, "LONGEST_CLOSING_SECONDS", 0.05)
    life, begun = Life(), asyncio.Event()

    async def slow(context: PipelineContext) -> AdapterResult:
        begun.set()
        return await hanging(context)

    async with asyncio.timeout(5):
        async with bench(
            {"slow": slow}, ledger=life.port(store.ledger), executions=life.port(store.executions)
        ) as on:
            started = await on.start(route("a", "slow"))
            await begun.wait()
            life.freeze()
    assert "could not be handed back in time" in caplog.text
    seen = (await store.every_execution())[started.id]
    assert (seen.status, seen.counts.outstanding) == (ExecutionStatus.RUNNING, 1)
    life.thaw()


async def test_a_cancelled_feed_ends_whatever_it_is_at() -> None:
    """Also in the very moment in which what it waits for comes."""
    for turns in range(60):
        clock, life = ManualClock(), Life()
        store = memory_store()
        process = await opened_process(store, clock, NumberedIds(), life)
        feed = _feed(process.engine.ports)
        task = asyncio.create_task(feed.run())
        feed.expect(clock.now() + timedelta(seconds=5))
        await life.idles()
        advancing = asyncio.create_task(clock.advance(5))
        for _ in range(turns):
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.wait({task}, timeout=2)
        assert task.cancelled(), f"still alive when it is cancelled after {turns} turns"
        await advancing
        await process.close()


def _feed(ports: EnginePorts) -> RouteFeed:
    return RouteFeed(ports=ports, execution_id=ports.ids.new_id(), route_id="a", queue_name="exec:a")


async def test_a_cancel_whose_answer_is_lost_takes_effect_all_the_same(store: Store) -> None:
    """Whoever asked is told that it is not known; recovery finds out, and nothing is left behind or spins."""
    clock, life = ManualClock(), Life()
    process = await opened_process(store, clock, NumberedIds(), life)
    started = await _started(process, clock)
    await _fanned_out(process, clock)
    life.fails_at = Moment("conclude", is_after=True)
    with pytest.raises(Exception, match="made up"):
        await process.executions.change_status(str(started), ExecutionStatus.CANCELLED)
    for _ in range(8):
        await life.idles()
        await clock.advance(5)
    seen = (await store.every_execution())[started]
    await process.close()
    assert (seen.status, seen.counts.outstanding) == (ExecutionStatus.CANCELLED, 0)


async def _started(process: Process, clock: ManualClock) -> UUID:
    config = (await process.configs.create(name="proof", yaml=YAML)).config
    starting = asyncio.create_task(process.executions.start(config.id))
    while not starting.done():
        await asyncio.sleep(0.001)
        await clock.advance(0.1)
    await process.life.idles()
    return (await starting).id


async def _fanned_out(process: Process, clock: ManualClock) -> None:
    (gate,) = process.open_gates()
    gate.answer.set_result(Answer(Kind.EMIT, 5))
    await process.life.idles()
    await clock.advance(1)
    await process.life.idles()


async def test_what_is_delivered_while_a_run_is_closed_is_not_left_claimed(store: Store) -> None:
    """A process that ends in good order leaves no claims: those would count as crashes of innocent messages."""
    begun = asyncio.Event()

    async def slow_to_stop(context: PipelineContext) -> AdapterResult:
        begun.set()
        try:
            return await hanging(context)
        finally:
            on.engine.gates.of(context.execution_id)["b"].resume("test")
            await asyncio.sleep(0.05)

    async def gating(context: PipelineContext) -> AdapterResult:
        on.engine.gates.of(context.execution_id)["b"].pause("test")
        return await fanning(context)

    acts: dict[str, Act] = {"gate": gating, "hang": hanging, "slow": slow_to_stop}
    async with bench(acts, ledger=store.ledger, executions=store.executions) as on:
        await on.start(route("a", "gate", to=("b", "c")), route("b", "hang"), route("c", "slow"))
        await begun.wait()
    assert [row.route_id for row in (await store.rows()).values() if row.state == "claimed"] == []
