"""Several processes that collect from one queue: each has groups of its own, and together they lose and double nothing."""

from __future__ import annotations

import asyncio

from adapters.memory.ledger import MemoryLedger
from application.engine.draining import drain
from application.ports.pipeline_adapter import PipelineContext
from tests.unit.collecting import Collector, End, gathering, grouping, numbered, until, until_held
from tests.unit.engines import ended_well, pipeline, route
from tests.unit.test_sharing import SharedQueue

MESSAGES = 60


async def test_each_process_flushes_what_it_holds_when_nothing_more_can_come() -> None:
    """More than the prefetch, because what is held is acknowledged; a group is of one process."""
    ledger, queue, end, gather = MemoryLedger(), SharedQueue(), End(), Collector(grouping=grouping())
    go = asyncio.Event()

    async def slow(context: PipelineContext) -> None:
        await go.wait()

    acts = {"fan": numbered(MESSAGES), "slow": slow, "end": end}
    routes = (
        route("a", "fan", to=("b", "s")),
        route("b", "gather", to="c", concurrency=1),
        route("s", "slow", to="b", concurrency=1),
        route("c", "end"),
    )
    shared = {"ledger": ledger, "executions": ledger, "queue": queue}
    async with (
        gathering(acts, {"gather": gather}, **shared) as one,
        gathering(acts, {"gather": gather}, **shared) as other,
    ):
        execution = await one.start(*routes)
        await other.engine.resume(execution, pipeline(*routes))
        held = [bench.engine.processor(execution.id, "b") for bench in (one, other)]
        await until(lambda: sum(it.inbox.groups.messages for it in held if it) == MESSAGES)  # type: ignore[attr-defined]
        assert gather.groups == []
        go.set()
        ended = await one.ended(execution.id)
        await other.engine.ended(execution.id)
    assert ended_well(ended)
    assert end.numbers == list(range(MESSAGES))
    assert 1 <= len(end.groups) <= 2


async def test_what_a_process_that_stops_has_held_is_collected_by_another() -> None:
    ledger, queue, end, gather = MemoryLedger(), SharedQueue(), End(), Collector(grouping=grouping())
    go = asyncio.Event()

    async def slow(context: PipelineContext) -> None:
        await go.wait()

    acts = {"fan": numbered(5), "slow": slow, "end": end}
    routes = (
        route("a", "fan", to=("b", "s")),
        route("b", "gather", to="c"),
        route("s", "slow", to="b"),
        route("c", "end"),
    )
    shared = {"ledger": ledger, "executions": ledger, "queue": queue}
    async with gathering(acts, {"gather": gather}, **shared) as staying:
        async with gathering(acts, {"gather": gather}, **shared) as leaving:
            execution = await leaving.start(*routes)
            await until_held(leaving, execution, "b", 5)
            await staying.engine.resume(execution, pipeline(*routes))
            go.set()
            await drain(leaving.engine, 5)
        ended = await staying.ended(execution.id, within=20)
    assert ended_well(ended)
    assert [sorted(group) for group in end.groups] == [[0, 1, 2, 3, 4]]
    assert {row.attempt for row in ledger._rows.values() if row.message.route_id == "b"} == {1}
