"""A cancel at every step of a message ends the run, and settles everything behind it."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from uuid import UUID, uuid4

import pytest

from adapters.memory.ledger import MemoryLedger
from application.engine.endings import Endings
from application.engine.group_commit import GroupCommit
from application.ports.pipeline_adapter import AdapterResult, PipelineContext
from domain.errors import Invalid
from domain.execution import ExecutionStatus, StatusChangeNotAllowed
from tests.unit.engines import Bench, bench, route
from tests.unit.late_ledgers import LateLedger
from tests.unit.test_engine import fanning, passing, streaming

MESSAGES = 300
"""More than one chunk of a stream."""
POINTS = [
    "started",
    "claimed",
    "processed",
    "chunk_committed",
    "settling",
    "settled",
    "published",
    "acknowledged",
]


@pytest.mark.parametrize("nth", [1, 2, 9])
@pytest.mark.parametrize("fan", [fanning, streaming])
@pytest.mark.parametrize("point", POINTS)
async def test_a_cancel_at_any_step_ends_the_run_and_leaves_nothing_behind(
    point: str, fan: object, nth: int
) -> None:
    """The n-th time that the step is reached; a step that comes less often leaves the run to complete.

    So does one that is reached when the last message has been settled: how many are settled together is left to chance.
    """
    reached = 0
    is_over = False
    cancelling: list[asyncio.Task[None]] = []

    async def cancel() -> None:
        nonlocal is_over
        if not on.engine.running:
            is_over = True
            return
        (execution_id,) = on.engine.running
        try:
            await on.ledger.conclude(execution_id, ExecutionStatus.CANCELLED, now=on.engine.ports.clock.now())
        except StatusChangeNotAllowed:
            is_over = True
            return
        on.engine.stop(execution_id, ExecutionStatus.CANCELLED)

    def at(name: str) -> None:
        nonlocal reached
        reached += name == point
        if name == point and reached == nth:
            cancelling.append(asyncio.create_task(cancel()))

    async def slow(context: PipelineContext) -> AdapterResult:
        await asyncio.sleep(0)
        return AdapterResult(message=context.message)

    acts = {"pass": passing, "fan": fan(MESSAGES), "slow": slow}  # type: ignore[operator]
    async with bench(acts, capacity=8) as on:
        object.__setattr__(on.engine.ports, "at", at)
        started = await on.start(
            route("a", "pass", to="b"), route("b", "fan", to="c"), route("c", "slow", concurrency=2)
        )
        ended = await on.ended(started.id)
        await asyncio.gather(*cancelling)
        counts = (await on.seen(started.id)).counts
        assert on.engine.running == []
        assert on.engine.quarantine.at_work == 0
    assert counts.outstanding == 0
    if reached < nth or is_over:
        assert (ended.status, counts.done) == (ExecutionStatus.COMPLETED, MESSAGES + 2)
    else:
        assert ended.status is ExecutionStatus.CANCELLED
        assert counts.done + counts.cancelled == counts.total


async def test_what_a_message_of_a_cancelled_run_comes_to_is_not_told() -> None:
    """It is cancelled, also when its pipeline adapter brings it to an end or fails."""

    async def stubborn(context: PipelineContext) -> AdapterResult:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            if context.message["number"] == 1:
                raise Invalid("dead") from None
        return AdapterResult(message=context.message)

    told: list[str] = []
    async with bench({"fan": fanning(2), "stubborn": stubborn}) as on, on.events.listen() as events:
        started = await on.start(route("a", "fan", to="b"), route("b", "stubborn"))
        async for event in events:
            told.append(event.type)
            if told.count("message.initiated") == 3:
                break
        await on.ledger.conclude(started.id, ExecutionStatus.CANCELLED, now=on.engine.ports.clock.now())
        on.engine.stop(started.id, ExecutionStatus.CANCELLED)
        async for event in events:
            told.append(event.type)
            if event.type == "execution.cancelled":
                break
        ended = await on.ended(started.id)
    assert ended.counts.cancelled == 2
    assert [one for one in told if one in {"message.completed", "message.failed"}] == ["message.completed"]


class Swallowing:
    """Keeps its first caller waiting, and swallows the cancellation of that."""

    def __init__(self) -> None:
        self.begun = asyncio.Event()

    async def __call__(self, _: object) -> None:
        if not self.begun.is_set():
            self.begun.set()
            with suppress(asyncio.CancelledError):
                await asyncio.Event().wait()


class Discarding(MemoryLedger):
    """Settles what is left over when it is let, and says when it is asked to."""

    def __init__(self, error: Exception | None = None) -> None:
        super().__init__()
        self.asked, self.gate, self.error = asyncio.Event(), asyncio.Event(), error

    async def discard_queued(self, execution_id: UUID, **said: object) -> int:
        self.asked.set()
        await self.gate.wait()
        if self.error is not None:
            raise self.error
        return await super().discard_queued(execution_id, **said)  # type: ignore[arg-type]  # as they came


async def cancelled_without_routes(on: Bench) -> UUID:
    """An execution that was started and cancelled where none is processed."""
    started = await on.start(route("a", "pass"))
    await on.ledger.conclude(started.id, ExecutionStatus.CANCELLED, now=on.engine.ports.clock.now())
    on.engine.stop(started.id, ExecutionStatus.CANCELLED)
    return started.id


async def test_what_a_cancel_leaves_is_settled_behind_it_where_nothing_is_processed_too() -> None:
    """Who cancels does not wait for it, and who closes does."""
    ledger = Discarding()
    async with bench({"pass": passing}, ledger=ledger, executions=ledger, processes=False) as on:
        execution_id = await cancelled_without_routes(on)
        await ledger.asked.wait()
        assert ledger.executions[execution_id].counts.outstanding == 1
        asyncio.get_running_loop().call_later(0.05, ledger.gate.set)
    assert ledger.executions[execution_id].counts.cancelled == 1


async def test_what_goes_wrong_behind_a_cancel_is_told(caplog: pytest.LogCaptureFixture) -> None:
    """In the log, because nobody waits for it."""
    ledger = Discarding(ZeroDivisionError("boom"))
    ledger.gate.set()
    async with bench({"pass": passing}, ledger=ledger, executions=ledger, processes=False) as on:
        execution_id = await cancelled_without_routes(on)
        await on.engine.ended(execution_id)
        assert on.engine.running == []
    assert f"the end of execution {execution_id} was not followed up" in caplog.text


async def test_an_ending_that_is_wanted_waits_for_one_that_is_under_way() -> None:
    """And it is over once, when both are."""
    over, done, execution_id, gate = list[UUID](), list[str](), uuid4(), asyncio.Event()
    endings = Endings(over=over.append)

    async def first() -> None:
        await gate.wait()
        done.append("first")

    async def second() -> None:
        done.append("second")

    endings.begin(execution_id, first())
    endings.follow(execution_id, second)
    await asyncio.sleep(0.01)
    assert (done, over, execution_id in endings) == ([], [], True)
    gate.set()
    await endings.wait(execution_id)
    assert (done, over, execution_id in endings) == (["first", "second"], [execution_id], False)


async def test_a_cancellation_that_a_store_swallows_does_not_keep_a_run_from_its_end() -> None:
    """As drivers of databases do now and then."""
    swallowing = Swallowing()
    ledger = LateLedger(looked=swallowing)
    async with bench({"pass": passing}, ledger=ledger, executions=ledger.inner) as on:
        started = await on.start(route("a", "pass"))
        await swallowing.begun.wait()
        await on.ledger.conclude(started.id, ExecutionStatus.CANCELLED, now=on.engine.ports.clock.now())
        on.engine.stop(started.id, ExecutionStatus.CANCELLED)
        assert (await on.ended(started.id, within=5)).counts.cancelled == 1


async def test_a_cancellation_that_a_store_swallows_does_not_keep_the_engine_open() -> None:
    """Whatever it was asked for last."""
    swallowing = Swallowing()

    async def commit(items: Sequence[int]) -> Sequence[int]:
        await swallowing(items)
        return items

    async with asyncio.timeout(5) as limit:
        async with GroupCommit[int, int](commit=commit, sleep=asyncio.sleep, linger_seconds=0.0) as group:
            group.hand_in(1, lambda _: None)
            await swallowing.begun.wait()
    assert not limit.expired()
