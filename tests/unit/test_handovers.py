"""Children that pass by the queue are worked on once each, whatever is emitted twice and whatever answer is lost."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence

from application.engine.inbox import WINDOW
from application.ports.pipeline_adapter import AdapterResult, Emission, PipelineContext
from domain.errors import Unavailable
from domain.execution import ExecutionStatus
from domain.message import Settlement
from tests.unit.engines import Act, bench, ended_well, route
from tests.unit.late_ledgers import LateLedger
from tests.unit.test_engine import Recorder, fanning, passing, streaming


async def test_children_born_in_a_commit_of_unknown_outcome_are_worked_on() -> None:
    """Also when their route takes nothing any more by the time the commit is repeated."""
    record, ledger = Recorder(), LateLedger()
    is_lost = False

    async def lose_the_answer(settlements: object) -> None:
        nonlocal is_lost
        assert isinstance(settlements, Sequence)
        if not is_lost and any(isinstance(one, Settlement) and one.children for one in settlements):
            is_lost = True
            for gate in on.engine.gates:
                gate.pause("test")
            raise Unavailable

    ledger.settled = lose_the_answer
    async with bench({"fan": fanning(5), "record": record}, ledger=ledger, executions=ledger.inner) as on:
        started = await on.start(route("a", "fan", to="b"), route("b", "record"))
        async with asyncio.timeout(5):
            while not (await on.seen(started.id)).counts.done or on.engine.quarantine.at_work:  # noqa: ASYNC110
                await asyncio.sleep(0.005)
        for gate in on.engine.gates:
            gate.resume("test")
        assert ended_well(await on.ended(started.id))
    assert record.numbers == dict.fromkeys(range(5), 1)


async def test_what_is_emitted_twice_under_one_key_is_worked_on_once() -> None:
    """And leaves no room taken and nobody at work."""
    record = Recorder()

    async def twice(context: PipelineContext) -> AdapterResult:
        emission = Emission(payload=context.message, key="the same")
        return AdapterResult(message=context.message, emitted=[emission, emission])

    async def hanging(context: PipelineContext) -> None:
        del context
        await asyncio.Event().wait()

    acts: dict[str, Act] = {"fan": fanning(20), "twice": twice, "record": record, "hang": hanging}
    async with bench(acts) as on:
        started = await on.start(
            route("a", "fan", to=("b", "d")),
            route("b", "twice", to="c"),
            route("c", "record"),
            route("d", "hang"),
        )
        processor = on.engine.processor(started.id, "c")
        assert processor is not None
        async with asyncio.timeout(10):
            while (await on.seen(started.id)).counts.done < 41:  # noqa: ASYNC110
                await asyncio.sleep(0.005)
        assert on.engine.quarantine.at_work == 20
        assert sum(processor.inbox.reserve() for _ in range(WINDOW)) == WINDOW
    assert record.numbers == dict.fromkeys(range(20), 1)


async def test_a_stream_that_says_the_same_again_does_not_have_it_worked_on_again() -> None:
    """Also when the second time comes with a later chunk, while the first is being worked on."""
    record = Recorder()

    async def emissions() -> AsyncIterator[Emission]:
        for number in range(600):
            yield Emission(payload={"number": number % 10}, key=str(number % 10))

    async def repeating(context: PipelineContext) -> AdapterResult:
        return AdapterResult(message=context.message, emitted=emissions())

    async def slow(context: PipelineContext) -> AdapterResult | None:
        await asyncio.sleep(0.02)
        return await record(context)

    async with bench({"repeat": repeating, "slow": slow}) as on:
        assert ended_well(await on.run(route("a", "repeat", to="b"), route("b", "slow", concurrency=2)))
        assert on.engine.quarantine.at_work == 0
    assert record.numbers == dict.fromkeys(range(10), 1)


async def test_a_stream_that_is_cancelled_in_a_commit_leaves_nothing_claimed() -> None:
    """The chunk is in the ledger, and nobody has seen the answer."""
    ledger, committed = LateLedger(), asyncio.Event()

    async def answer_never(children: object) -> None:
        del children
        committed.set()
        await asyncio.Event().wait()

    ledger.extended = answer_never
    acts = {"stream": streaming(300), "pass": passing}
    async with bench(acts, ledger=ledger, executions=ledger.inner) as on:
        started = await on.start(route("a", "stream", to="b"), route("b", "pass"))
        await committed.wait()
        await on.ledger.conclude(started.id, ExecutionStatus.CANCELLED, now=on.engine.ports.clock.now())
        on.engine.stop(started.id, ExecutionStatus.CANCELLED)
        assert (await on.ended(started.id, within=5)).counts.cancelled == 257
        assert on.engine.quarantine.at_work == 0
