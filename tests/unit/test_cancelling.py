"""A cancel at every step of a message ends the run, and settles everything behind it."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress

import pytest

from application.engine.group_commit import GroupCommit
from application.ports.pipeline_adapter import AdapterResult, PipelineContext
from domain.errors import Invalid
from domain.execution import ExecutionStatus, StatusChangeNotAllowed
from tests.unit.engines import bench, route
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
        await on.engine.stop(execution_id, ExecutionStatus.CANCELLED)

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
        await on.engine.stop(started.id, ExecutionStatus.CANCELLED)
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


async def test_a_cancellation_that_a_store_swallows_does_not_keep_a_run_from_its_end() -> None:
    """As drivers of databases do now and then."""
    swallowing = Swallowing()
    ledger = LateLedger(looked=swallowing)
    async with bench({"pass": passing}, ledger=ledger, executions=ledger.inner) as on:
        started = await on.start(route("a", "pass"))
        await swallowing.begun.wait()
        await on.ledger.conclude(started.id, ExecutionStatus.CANCELLED, now=on.engine.ports.clock.now())
        await on.engine.stop(started.id, ExecutionStatus.CANCELLED)
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
