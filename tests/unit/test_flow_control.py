"""What the engine does when a route is too fast, too slow, or depends on something that is away."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from application.engine.route_status import RouteState, RouteStatus
from application.ports.pipeline_adapter import AdapterResult, Emission, PipelineContext
from domain.circuit_breaker import BreakerRules, BreakerState
from domain.errors import Invalid, Unavailable
from domain.execution import Execution, ExecutionStatus
from domain.pipeline import Backpressure, Route
from tests.unit.engines import Act, Bench, bench, ended_well, route
from tests.unit.test_engine import Recorder, fanning, passing, streaming

SOON = BreakerRules(open_seconds=0.05, longest_seconds=0.05)
LATE = BreakerRules(open_seconds=3600)


class Dependency:
    """A pipeline adapter that fails by an error until it is told to work."""

    def __init__(self, error: Exception) -> None:
        self.error: Exception | None = error
        self.calls = 0
        self.at_once = 0
        self.most_at_once: list[int] = []
        self.numbers: Counter[object] = Counter()

    async def __call__(self, context: PipelineContext) -> AdapterResult:
        self.calls += 1
        self.at_once += 1
        self.most_at_once.append(self.at_once)
        await asyncio.sleep(0.001)
        self.at_once -= 1
        if self.error is not None:
            raise self.error
        self.numbers[context.message.get("number")] += 1
        return AdapterResult(message=context.message)


def status_of(on: Bench, execution: Execution, route_id: str) -> RouteStatus:
    return on.engine.gates.of(execution.id)[route_id].status()


async def until_state(on: Bench, execution: Execution, route_id: str, state: RouteState) -> RouteStatus:
    async with asyncio.timeout(5):
        while (status := status_of(on, execution, route_id)).state is not state:  # noqa: ASYNC110 (nobody is told)
            await asyncio.sleep(0.001)
    return status


@pytest.mark.parametrize("error", [RuntimeError("refused"), Unavailable("away"), ConnectionError("reset")])
async def test_no_message_uses_up_its_retries_while_what_it_needs_is_away(error: Exception) -> None:
    """However many there are and however few retries they have, each is done once it is back."""
    needed = Dependency(error)
    async with bench({"fan": fanning(100), "needed": needed}, breaker=SOON) as on:
        started = await on.start(route("a", "fan", to="b"), route("b", "needed", max_retries=1))
        await until_state(on, started, "b", RouteState.BREAKER)
        await asyncio.sleep(0.2)
        needed.error = None
        ended = await on.ended(started.id)
    assert ended_well(ended)
    assert needed.numbers == Counter(range(100))


async def test_an_open_breaker_stops_its_route_and_no_other() -> None:
    """What waits is back in the ledger, so that nobody holds it."""
    needed, record = Dependency(ConnectionError()), Recorder()
    acts: dict[str, Act] = {"fan": fanning(100), "needed": needed, "record": record}
    async with bench(acts, breaker=LATE) as on:
        started = await on.start(route("a", "fan", to=("b", "c")), route("b", "needed"), route("c", "record"))
        status = await until_state(on, started, "b", RouteState.BREAKER)
        async with asyncio.timeout(5):
            while record.numbers.total() < 100:  # noqa: ASYNC110 (nobody is told)
                await asyncio.sleep(0.001)
        calls = needed.calls
        assert calls <= 20
        assert [(one.adapter, one.state) for one in status.open_breakers] == [("needed", BreakerState.OPEN)]
        ports, waiting = on.engine.ports, -1
        async with asyncio.timeout(5):
            while waiting < 100 - calls:
                await asyncio.sleep(0.01)
                now = ports.clock.now()
                waiting = len(await ports.ledger.waiting(started.id, "b", limit=200, now=now))
        assert (needed.calls, status_of(on, started, "b").in_flight) == (calls, 0)
        assert status_of(on, started, "c").state is RouteState.OPEN


async def test_a_breaker_probes_with_one_message_at_a_time() -> None:
    needed = Dependency(ConnectionError())
    async with bench({"fan": fanning(60), "needed": needed}, breaker=SOON) as on:
        started = await on.start(route("a", "fan", to="b"), route("b", "needed", concurrency=8))
        await until_state(on, started, "b", RouteState.BREAKER)
        while needed.at_once:  # noqa: ASYNC110 (nobody is told)
            await asyncio.sleep(0.001)
        before = len(needed.most_at_once)
        await asyncio.sleep(0.3)
        probes = needed.most_at_once[before:]
        assert 1 <= len(probes) <= 7
        assert set(probes) == {1}
        needed.error = None
        assert ended_well(await on.ended(started.id))
    assert max(needed.most_at_once) == 8


async def test_a_route_with_an_open_breaker_can_be_cancelled() -> None:
    async with bench({"fan": fanning(40), "needed": Dependency(ConnectionError())}, breaker=LATE) as on:
        started = await on.start(route("a", "fan", to="b"), route("b", "needed"))
        await until_state(on, started, "b", RouteState.BREAKER)
        ports = on.engine.ports
        await ports.executions.conclude(started.id, ExecutionStatus.CANCELLED, now=ports.clock.now())
        on.engine.end(started.id, ExecutionStatus.CANCELLED)
        ended = await on.ended(started.id)
        assert list(on.engine.gates) == []
    assert (ended.status, ended.counts.outstanding) == (ExecutionStatus.CANCELLED, 0)


@pytest.mark.parametrize("error", [Invalid("not for me"), KeyError("number")])
async def test_messages_that_are_wrong_themselves_stop_no_route(error: Exception) -> None:
    """They die, and the run ends."""
    broken = Dependency(error)
    async with bench({"fan": fanning(60), "broken": broken}, breaker=LATE) as on:
        ended = await on.run(route("a", "fan", to="b"), route("b", "broken", max_retries=0))
    assert (ended.status, ended.counts.dead) == (ExecutionStatus.COMPLETED, 60)


def paced(seconds: float) -> tuple[Act, list[int]]:
    """A pipeline adapter that takes so long, and how many messages it had at once."""
    at_once, seen = 0, []

    async def act(context: PipelineContext) -> AdapterResult:
        nonlocal at_once
        at_once += 1
        seen.append(at_once)
        await asyncio.sleep(seconds)
        at_once -= 1
        return AdapterResult(message=context.message)

    return act, seen


def steered(target_latency_ms: float, *, concurrency: int, most: int) -> Route:
    backpressure = Backpressure(target_latency_ms=target_latency_ms, max_concurrency=most)
    return replace(route("b", "act", concurrency=concurrency), backpressure=backpressure)


@pytest.mark.slow
async def test_a_route_that_is_quick_enough_has_more_and_more_messages_at_work() -> None:
    act, seen = paced(0.02)
    async with bench({"fan": fanning(400), "act": act}) as on:
        ended = await on.run(route("a", "fan", to="b"), steered(10_000, concurrency=2, most=5))
    assert ended_well(ended)
    assert (max(seen[:10]), max(seen), max(seen[-20:])) == (2, 5, 5)


@pytest.mark.slow
async def test_a_route_that_is_too_slow_comes_down_to_one_message_at_a_time() -> None:
    act, seen = paced(0.05)
    async with bench({"fan": fanning(80), "act": act}) as on:
        ended = await on.run(route("a", "fan", to="b"), steered(1, concurrency=6, most=8))
    assert ended_well(ended)
    assert (max(seen), max(seen[-5:])) == (6, 1)


async def test_routes_that_feed_each_other_end_though_their_queues_are_full() -> None:
    """Neither waits for room that the other would have to make."""
    record = Recorder()

    async def grow(context: PipelineContext) -> AdapterResult:
        depth = context.message.get("depth", 4)
        assert isinstance(depth, int)
        await record(context)

        async def more() -> AsyncIterator[Emission]:
            for _ in range(4 if depth else 0):
                yield Emission(payload={"depth": depth - 1})

        return AdapterResult(message=context.message, emitted=more())

    async with bench({"grow": grow}, capacity=2) as on:
        ended = await on.run(
            route("a", "grow", to="b", concurrency=2), route("b", "grow", to="a", concurrency=1)
        )
    assert ended_well(ended)
    assert ended.counts.done == sum(4**level for level in range(5))


@pytest.mark.slow
async def test_a_stream_waits_for_the_route_that_it_feeds() -> None:
    """What it emits stays within a window; when the route goes on, so does the stream."""
    record = Recorder()
    async with bench({"stream": streaming(2_000), "pass": passing, "record": record}, capacity=64) as on:
        started = await on.start(
            route("a", "pass", to="b"), route("b", "stream", to="c"), route("c", "record")
        )
        gate = on.engine.gates.of(started.id)["c"]
        gate.pause("a test")
        seen = -1
        async with asyncio.timeout(5):
            while (total := (await on.seen(started.id)).counts.total) != seen or total < 3:
                seen = total
                await asyncio.sleep(0.1)
        assert seen < 600
        gate.resume("a test")
        assert ended_well(await on.ended(started.id, within=30))
    assert record.numbers.total() == 2_000


async def test_a_slow_stream_keeps_nothing_to_itself() -> None:
    """What it has emitted is worked on although it emits no more for now, and all of it just once."""
    record, go = Recorder(), asyncio.Event()

    async def halting(context: PipelineContext) -> AdapterResult:
        async def emissions() -> AsyncIterator[Emission]:
            for number in range(3):
                yield Emission(payload={"number": number})
            await go.wait()
            yield Emission(payload={"number": 3})

        return AdapterResult(message=context.message, emitted=emissions())

    async with bench({"stream": halting, "record": record}) as on:
        started = await on.start(route("a", "stream", to="b"), route("b", "record"))
        async with asyncio.timeout(5):
            while len(record.numbers) < 3:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        assert (await on.seen(started.id)).counts.outstanding >= 1
        go.set()
        assert ended_well(await on.ended(started.id))
    assert record.numbers == dict.fromkeys(range(4), 1)
