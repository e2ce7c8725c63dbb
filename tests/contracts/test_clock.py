"""The behaviour that ``application.ports.clock`` promises, for every clock."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta

import pytest

from adapters.memory.clock import ManualClock
from adapters.system.clock import SystemClock
from application.ports.clock import Clock


@dataclass(frozen=True)
class Timepiece:
    """A clock under test and how its time passes."""

    clock: Clock
    let_pass: Callable[[float], Awaitable[None]]


@pytest.fixture(params=["system", "manual"])
def timepiece(request: pytest.FixtureRequest) -> Timepiece:
    if request.param == "system":
        return Timepiece(SystemClock(), asyncio.sleep)
    manual = ManualClock()
    return Timepiece(manual, manual.advance)


def test_the_present_moment_is_in_utc(timepiece: Timepiece) -> None:
    """And knows its time zone."""
    assert timepiece.clock.now().utcoffset() == timedelta(0)


async def test_time_passes(timepiece: Timepiece) -> None:
    """By as much as was let pass, or more."""
    before = timepiece.clock.now()
    await timepiece.let_pass(0.02)
    assert timepiece.clock.now() - before >= timedelta(milliseconds=19)


async def test_what_is_measured_is_what_passed(timepiece: Timepiece) -> None:
    """And nothing passes by itself in between two readings but real time."""
    before = timepiece.clock.monotonic()
    assert timepiece.clock.monotonic() >= before
    await timepiece.let_pass(0.02)
    assert 0.019 <= timepiece.clock.monotonic() - before < 10


async def test_a_sleeper_wakes_when_its_seconds_are_over_and_not_before(timepiece: Timepiece) -> None:
    """Sleepers wake in the order they are due."""
    woken: list[float] = []

    async def sleep(seconds: float) -> None:
        await timepiece.clock.sleep(seconds)
        woken.append(seconds)

    sleepers = [asyncio.create_task(sleep(seconds)) for seconds in (0.12, 0.01, 0.06)]
    await asyncio.sleep(0)
    await timepiece.let_pass(0.03)
    assert woken == [0.01]
    await timepiece.let_pass(0.2)
    assert woken == [0.01, 0.06, 0.12]
    await asyncio.gather(*sleepers)


async def test_sleeping_for_no_time_returns(timepiece: Timepiece) -> None:
    """Also for less than none."""
    await timepiece.clock.sleep(0)
    await timepiece.clock.sleep(-1)


async def test_a_cancelled_sleep_ends_at_once(timepiece: Timepiece) -> None:
    """And harms no later one."""
    sleeper = asyncio.create_task(timepiece.clock.sleep(3600))
    await asyncio.sleep(0)
    sleeper.cancel()
    with pytest.raises(asyncio.CancelledError):
        await sleeper
    await timepiece.let_pass(0.001)


async def test_with_a_manual_clock_hours_pass_at_once() -> None:
    """Whoever sleeps again within the time that passes is woken again within it."""
    clock = ManualClock()
    start = clock.now()
    moments = []

    async def every_ten_minutes() -> None:
        while True:
            await clock.sleep(600)
            moments.append(clock.now() - start)

    task = asyncio.create_task(every_ten_minutes())
    await clock.advance(3600)
    assert moments == [timedelta(minutes=10 * number) for number in range(1, 7)]
    assert clock.now() - start == timedelta(hours=1)
    task.cancel()
