"""A blocked event loop is noticed from outside of it."""

from __future__ import annotations

import asyncio
import logging
import threading
import time

import pytest

from adapters.system.clock import SystemClock
from application.engine.loop_watch import LoopWatch
from application.health import OrchestratorReadiness
from application.ports.pipeline_adapter import AdapterResult, PipelineContext
from tests.unit.engines import bench, ended_well, route

LIMIT = 0.1
LONGEST = 10.0


def stand_still(watch: LoopWatch, until: int) -> None:
    """Block whoever calls until the watch has seen so many blockages, or it is hopeless."""
    give_up = time.monotonic() + LONGEST
    while watch.blockages < until and time.monotonic() < give_up:
        time.sleep(0.001)


async def test_a_pipeline_adapter_that_blocks_the_loop_is_named(caplog: pytest.LogCaptureFixture) -> None:
    """In the log and in the details, with the stack; and the run goes on when it yields."""
    watch = LoopWatch(clock=SystemClock(), limit_seconds=LIMIT)

    async def blocking(context: PipelineContext) -> AdapterResult:
        stand_still(watch, 1)
        return AdapterResult(message=context.message)

    async with watch, bench({"blocking": blocking}) as on:
        with caplog.at_level(logging.WARNING):
            ended = await on.run(route("slow", "blocking"))
            assert ended_well(ended)
            while watch.last is None or watch.last.seconds is None:  # noqa: ASYNC110 (nothing else tells it)
                await asyncio.sleep(LIMIT / 10)
    assert watch.blockages == 1
    assert watch.last.culprit is not None
    assert watch.last.culprit.route_id == "slow"
    assert watch.last.culprit.execution_id == str(ended.id)
    assert "stand_still" in watch.last.stack
    assert watch.last.seconds >= LIMIT
    assert "of the route slow" in caplog.text
    health = await OrchestratorReadiness(engine=on.engine, loop=watch).check()
    told = health.details["event_loop"]
    assert isinstance(told, dict)
    assert told["blockages"] == watch.blockages
    assert told["last_blockage"]["route_id"] == "slow"


async def test_each_blockage_is_told_once() -> None:
    """However long it lasts; the next one is told again."""
    watch = LoopWatch(clock=SystemClock(), limit_seconds=LIMIT)
    async with watch:
        for number in (1, 2):
            stand_still(watch, number)
            time.sleep(3 * LIMIT)  # noqa: ASYNC251 (blocking is what is tested)
            assert watch.blockages == number
            await asyncio.sleep(LIMIT)
    assert watch.last is not None
    assert watch.last.culprit is None


async def test_a_loop_that_turns_is_left_in_peace() -> None:
    """However much there is to do."""
    watch = LoopWatch(clock=SystemClock(), limit_seconds=1.0)
    async with watch:
        for _ in range(100):
            await asyncio.sleep(0.001)
    assert (watch.blockages, watch.last) == (0, None)
    assert watch.told() == {"blockages": 0, "last_blockage": None}


async def test_a_watch_that_is_closed_leaves_no_thread() -> None:
    """Nor a task."""
    before = threading.active_count()
    async with LoopWatch(clock=SystemClock(), limit_seconds=LIMIT):
        assert threading.active_count() >= before
    assert not [thread for thread in threading.enumerate() if thread.name == "loop watch"]
