"""A cancel at every step of a message ends the run, and settles everything behind it."""

from __future__ import annotations

import asyncio

import pytest

from application.ports.pipeline_adapter import AdapterResult, PipelineContext
from domain.errors import Invalid
from domain.execution import ExecutionStatus, StatusChangeNotAllowed
from tests.unit.engines import bench, route
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
    """The n-th time that the step is reached; a step that comes less often leaves the run to complete."""
    reached = 0
    cancelling: list[asyncio.Task[None]] = []

    async def cancel() -> None:
        if not on.engine.running:
            return
        (execution_id,) = on.engine.running
        try:
            await on.ledger.conclude(execution_id, ExecutionStatus.CANCELLED, now=on.engine.ports.clock.now())
        except StatusChangeNotAllowed:
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
    if reached < nth:
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
