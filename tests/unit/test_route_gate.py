"""The gate of a route: how many messages it lets in, when it closes, and when it opens again."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from uuid import uuid4

import pytest

from adapters.memory.clock import ManualClock
from application.engine.route_gate import RouteGate
from application.engine.route_gates import RouteGates
from application.engine.route_status import RouteState
from domain.circuit_breaker import BreakerState
from domain.errors import Invalid, Unavailable
from domain.pipeline import AdapterStep, Backpressure, Inbound, Route

AWAY = Unavailable("the model is away")


def route(*, concurrency: int = 5, backpressure: Backpressure | None = None, steps: int = 2) -> Route:
    return Route(
        id="r",
        name="r",
        inbound=Inbound(queue="r", concurrency=concurrency),
        adapters=[AdapterStep(type=f"step_{number}") for number in range(steps)],
        backpressure=backpressure,
    )


def gate_of(clock: ManualClock, **fields: object) -> RouteGate:
    return RouteGate(uuid4(), route(**fields), clock=clock)  # type: ignore[arg-type]


async def entered(gate: RouteGate) -> int:
    """How many more messages the gate lets in now; they stay in."""
    count = 0
    while True:
        task = asyncio.ensure_future(gate.enter())
        await asyncio.sleep(0)
        if not task.done():
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            return count
        count += 1


async def rounds(gate: RouteGate, clock: ManualClock, *, count: int, seconds: float) -> None:
    """Rounds of as many messages as the gate lets in, each taking so long."""
    for _ in range(count):
        began, number = clock.monotonic(), await entered(gate)
        await clock.advance(seconds)
        for _ in range(number):
            gate.leave(began, clock.monotonic())


def fail(gate: RouteGate, times: int = 10, *, step: int = 1) -> None:
    for _ in range(times):
        gate.observe(step, AWAY)


async def test_a_route_without_backpressure_keeps_its_concurrency() -> None:
    """However quick or slow its messages are."""
    clock = ManualClock()
    gate = gate_of(clock, concurrency=3)
    await rounds(gate, clock, count=10, seconds=0.3)
    await rounds(gate, clock, count=10, seconds=30)
    assert await entered(gate) == 3
    assert gate.most == 3


async def test_quick_messages_raise_the_concurrency_to_its_maximum_and_slow_ones_lower_it_to_one() -> None:
    clock = ManualClock()
    gate = gate_of(clock, concurrency=2, backpressure=Backpressure(target_latency_ms=500, max_concurrency=8))
    seen = []
    for _ in range(8):
        seen.append(gate.status().concurrency)
        await rounds(gate, clock, count=1, seconds=0.3)
    assert seen == [2, 3, 4, 5, 6, 7, 8, 8]
    await rounds(gate, clock, count=12, seconds=2.0)
    assert gate.status().concurrency == 1
    assert gate.most == 8


async def test_a_concurrency_above_the_maximum_begins_at_the_maximum() -> None:
    gate = gate_of(ManualClock(), concurrency=50, backpressure=Backpressure(max_concurrency=20))
    assert await entered(gate) == 20


async def test_slots_that_nobody_waited_for_do_not_raise_the_concurrency() -> None:
    """A route that is given one message at a time learns nothing about five."""
    clock = ManualClock()
    gate = gate_of(clock, concurrency=5, backpressure=Backpressure())
    for _ in range(50):
        await gate.enter()
        began = clock.monotonic()
        await clock.advance(0.05)
        gate.leave(began, clock.monotonic())
    assert gate.status().concurrency == 5


async def test_messages_from_before_a_change_lower_the_concurrency_no_further() -> None:
    """Those that were at work together are one reason, not several."""
    clock = ManualClock()
    gate = gate_of(clock, concurrency=4, backpressure=Backpressure(target_latency_ms=500))
    assert await entered(gate) == 4
    for _ in range(3):
        await clock.advance(1.0)
        gate.leave(0.0, clock.monotonic())
        assert await entered(gate) == 1
    await clock.advance(1.0)
    gate.leave(0.0, clock.monotonic())
    assert gate.status().concurrency == 3
    for began in (1.0, 2.0, 3.0):
        await clock.advance(1.0)
        gate.leave(began, clock.monotonic())
    assert gate.status().concurrency == 3


async def test_a_closed_gate_lets_nobody_in_until_the_last_reason_is_gone() -> None:
    """Those that are in go on and leave."""
    gate = gate_of(ManualClock())
    await gate.enter()
    gate.pause("route_paused")
    gate.pause("execution_paused")
    gate.pause("execution_paused")
    waiting = asyncio.ensure_future(gate.enter())
    gate.leave(0.0, 1.0)
    gate.resume("execution_paused")
    await asyncio.sleep(0)
    assert (waiting.done(), gate.is_open) == (False, False)
    assert (gate.status().state, gate.status().paused_by) == (RouteState.PAUSED, ["route_paused"])
    gate.resume("route_paused")
    await waiting
    assert (gate.is_open, gate.status().in_flight) == (True, 1)


async def test_who_waits_for_the_closing_and_the_opening_is_told() -> None:
    gate = gate_of(ManualClock())
    await asyncio.wait_for(gate.opened(), 1)
    closing = asyncio.ensure_future(gate.closing())
    await asyncio.sleep(0)
    gate.pause("route_paused")
    await asyncio.wait_for(closing, 1)
    await asyncio.wait_for(gate.closing(), 1)
    opened = asyncio.ensure_future(gate.opened())
    await asyncio.sleep(0)
    assert not opened.done()
    gate.resume("route_paused")
    await asyncio.wait_for(opened, 1)


async def test_ten_failures_of_one_pipeline_adapter_close_the_gate_and_a_probe_opens_it() -> None:
    """After thirty seconds one message is let in; when it goes well, all are."""
    clock = ManualClock()
    gate = gate_of(clock)
    opened: asyncio.Future[None] | None = None
    fail(gate, 9)
    assert gate.is_open
    fail(gate, 1)
    assert gate.status().state is RouteState.BREAKER
    assert [breaker.adapter for breaker in gate.status().open_breakers] == ["step_1"]
    opened = asyncio.ensure_future(gate.opened())
    await clock.advance(29)
    assert (opened.done(), await entered(gate)) == (False, 0)
    await clock.advance(1)
    await opened
    assert gate.status().breakers[1].state is BreakerState.HALF_OPEN
    assert await entered(gate) == 1
    gate.observe(1)
    assert gate.status().breakers[1].state is BreakerState.CLOSED
    assert await entered(gate) == 4


async def test_a_probe_that_fails_closes_the_gate_for_longer() -> None:
    clock = ManualClock()
    gate = gate_of(clock)
    fail(gate)
    opened = asyncio.ensure_future(gate.opened())
    await clock.advance(30)
    await opened
    fail(gate, 1)
    opened = asyncio.ensure_future(gate.opened())
    await clock.advance(59)
    assert not opened.done()
    await clock.advance(1)
    await opened


async def test_results_of_one_pipeline_adapter_do_not_mix_with_those_of_another() -> None:
    """One that always works does not hide one that never does."""
    gate = gate_of(ManualClock())
    for _ in range(100):
        gate.observe(0)
    fail(gate, 5, step=0)
    fail(gate, 10, step=1)
    states = [breaker.state for breaker in gate.status().breakers]
    assert states == [BreakerState.CLOSED, BreakerState.OPEN]


async def test_errors_about_one_message_open_no_breaker() -> None:
    gate = gate_of(ManualClock())
    for _ in range(100):
        gate.observe(0, Invalid("not for me"))
        gate.observe(1, KeyError("text"))
    assert gate.is_open


async def test_failures_are_spared_until_the_probe_while_a_breaker_is_open() -> None:
    """The one that opened it too; before, and for errors about one message, the usual rules hold."""
    clock = ManualClock()
    gate = gate_of(clock)
    fail(gate, 9)
    assert gate.spared_until(AWAY) is None
    fail(gate, 1)
    await clock.advance(10)
    assert gate.spared_until(TimeoutError()) == clock.now() + timedelta(seconds=20)
    assert gate.spared_until(Invalid()) is None
    assert gate.status().breakers[1].probes_at == clock.now() + timedelta(seconds=20)


async def test_a_breaker_is_probed_on_time_though_the_route_was_paused_meanwhile() -> None:
    """Neither reason forgets the other."""
    clock = ManualClock()
    gate = gate_of(clock)
    gate.pause("route_paused")
    opened = asyncio.ensure_future(gate.opened())
    await asyncio.sleep(0)
    fail(gate)
    assert gate.status().state is RouteState.PAUSED
    assert gate.status().paused_by == ["breaker", "route_paused"]
    gate.resume("route_paused")
    await clock.advance(29)
    assert not opened.done()
    await clock.advance(1)
    await asyncio.wait_for(opened, 1)


async def test_a_slot_that_found_no_message_is_given_back_unmeasured() -> None:
    gate = gate_of(ManualClock(), concurrency=1, backpressure=Backpressure())
    await gate.enter()
    gate.forgo()
    await asyncio.wait_for(gate.enter(), 1)
    assert gate.status().latency_ms is None


async def test_the_latency_that_is_shown_follows_the_messages() -> None:
    clock = ManualClock()
    gate = gate_of(clock)
    await rounds(gate, clock, count=1, seconds=1.0)
    assert gate.status().latency_ms == pytest.approx(1000)
    await rounds(gate, clock, count=20, seconds=0.2)
    assert gate.status().latency_ms == pytest.approx(200, rel=0.01)


def test_gates_are_kept_by_run_and_forgotten_with_it() -> None:
    gates, gate = RouteGates(), gate_of(ManualClock())
    gates.keep(gate.execution_id, {"r": gate})
    assert (list(gates), gates.of(gate.execution_id)["r"]) == ([gate], gate)
    gates.forget(gate.execution_id)
    gates.forget(gate.execution_id)
    assert (list(gates), gates.of(gate.execution_id)) == ([], {})
