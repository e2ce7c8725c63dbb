"""Pipeline adapters that raise what nobody expects, wherever they are asked: it costs their message and nothing else."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence
from typing import Any
from uuid import uuid4

import pytest

from application.engine.panics import AdapterPanicked, WorkCancelled, failure_by
from application.engine.stateful import AdapterNotOpened, StatefulAdapters
from application.engine.streaming import LONGEST_WAIT_SECONDS
from application.ports.lineage import LineageQuery
from application.ports.pipeline_adapter import (
    AdapterResult,
    CollectedMessage,
    Emission,
    GroupContext,
    PipelineContext,
    RouteContext,
)
from domain.execution import ExecutionStatus
from domain.lineage import StageStatus
from domain.pipeline import AdapterStep, Condition, Operator
from tests.unit.collecting import CollectingActs, Collector, grouping
from tests.unit.engines import Act, ActingAdapter, Acts, bench, ended_well, route
from tests.unit.test_engine import fanning, passing


class Panic(BaseException):
    """As the ``PanicException`` of libraries that are written in Rust."""


PANICS = [Panic("index out of bounds"), SystemExit(3)]
SAYS = {"Panic": "Panic: index out of bounds", "SystemExit": "SystemExit: 3"}


async def processing(context: PipelineContext, error: BaseException) -> AdapterResult:
    await asyncio.sleep(0)
    raise error


async def listing(context: PipelineContext, error: BaseException) -> AdapterResult:
    def emissions() -> Iterator[Emission]:
        yield Emission(payload={})
        raise error

    return AdapterResult(message={}, emitted=emissions())  # type: ignore[arg-type]


async def streaming(context: PipelineContext, error: BaseException) -> AdapterResult:
    async def emissions() -> AsyncIterator[Emission]:
        yield Emission(payload={})
        raise error

    return AdapterResult(message={}, emitted=emissions())


async def closing(context: PipelineContext, error: BaseException) -> AdapterResult:
    async def emissions() -> AsyncIterator[Emission]:
        try:
            yield Emission(payload={})
        finally:
            await asyncio.sleep(0)
            raise error

    return AdapterResult(message={}, emitted=emissions())


async def unreadable(context: PipelineContext, error: BaseException) -> AdapterResult:
    """A chunk is committed while the stream goes on, so this is met in a task of its own."""

    class Unreadable(dict[str, Any]):
        def items(self) -> Any:
            raise error

    async def emissions() -> AsyncIterator[Emission]:
        yield Emission(payload=Unreadable(a=1))
        await asyncio.sleep(2 * LONGEST_WAIT_SECONDS)

    return AdapterResult(message={}, emitted=emissions())


@pytest.mark.parametrize("error", PANICS, ids=lambda error: type(error).__name__)
@pytest.mark.parametrize("how", [processing, listing, streaming, closing, unreadable])
async def test_a_panic_costs_its_message_alone_and_after_its_retries(how: Any, error: BaseException) -> None:
    """Whether it comes while a message is processed or while its emissions are read; the reason names it."""

    async def act(context: PipelineContext) -> AdapterResult:
        if context.message["number"] == 1:
            result: AdapterResult = await how(context, error)
            return result
        await asyncio.sleep(0.01)
        return AdapterResult(message=context.message)

    async with bench({"fan": fanning(4), "act": act}) as on:
        ended = await on.run(route("a", "fan", to="b"), route("b", "act", max_retries=1))
        (dead,) = await on.dead(ended.id)
        query = LineageQuery(execution_id=ended.id, status=StageStatus.FAILED)
        failed, _ = await on.lineage.list(query)
    assert (ended.status, ended.counts.done, ended.counts.dead) == (ExecutionStatus.COMPLETED, 4, 1)
    kind = type(error).__name__
    assert (dead.error["code"], dead.error["type"]) == ("pipeline_adapter_panicked", kind)
    assert (dead.error["message"], dead.attempts) == (SAYS[kind], 2)
    assert "test_panicking_adapters.py" in str(dead.error["traceback"])
    assert [entry.message_id for entry in failed] == [dead.message.id] * 2


async def test_an_error_that_cannot_be_printed_costs_its_message_alone() -> None:
    """Its type is all that can be told."""

    class Silent(Exception):
        def __str__(self) -> str:
            raise RuntimeError("no")

    async def act(context: PipelineContext) -> AdapterResult:
        if context.message["number"] == 1:
            raise Silent
        return AdapterResult(message=context.message)

    async with bench({"fan": fanning(2), "act": act}) as on:
        ended = await on.run(route("a", "fan", to="b"), route("b", "act", max_retries=0))
        (dead,) = await on.dead(ended.id)
    assert (ended.status, ended.counts.dead) == (ExecutionStatus.COMPLETED, 1)
    assert dead.error["message"] == "Silent, which cannot be printed"


async def test_a_cancellation_that_nobody_asked_for_settles_its_message() -> None:
    """One that a plain function raises in place of returning an awaitable, or the end of a stream, too."""

    class Plain(ActingAdapter):
        def process(self, context: PipelineContext) -> Any:
            raise asyncio.CancelledError

    class PlainActs(Acts):
        def build(self, type: str, config: Any) -> Any:
            built = super().build(type, config)
            return Plain(self.acts[type]) if type == "plain" else built

    async def ends(context: PipelineContext) -> AdapterResult:
        return await closing(context, asyncio.CancelledError())

    acts: dict[str, Act] = {"fan": fanning(2), "plain": passing, "ends": ends}
    async with bench(acts, registry=PlainActs(acts)) as on:
        ended = await on.run(
            route("a", "fan", to=("b", "c")),
            route("b", "plain", max_retries=0),
            route("c", "ends", max_retries=0),
        )
        dead = await on.dead(ended.id)
    assert (ended.status, ended.counts.dead) == (ExecutionStatus.COMPLETED, 4)
    assert {one.error["type"] for one in dead} == {"WorkCancelled"}


async def test_a_panic_while_collecting_takes_its_group_apart() -> None:
    """Each message is tried by itself, and the one that it comes of is dead."""

    async def collect(messages: Sequence[CollectedMessage], context: GroupContext) -> None:
        if any(one.message["number"] == 1 for one in messages):
            raise Panic("index out of bounds")

    acts: dict[str, Act] = {"fan": fanning(3), "end": passing}
    collector = Collector(grouping=grouping(max_messages=3), first=collect)
    async with bench(acts, registry=CollectingActs(acts, collectors={"collect": collector})) as on:
        ended = await on.run(
            route("a", "fan", to="b"), route("b", "collect", to="c", max_retries=0), route("c", "end")
        )
        (dead,) = await on.dead(ended.id)
    assert (ended.status, ended.counts.dead) == (ExecutionStatus.COMPLETED, 1)
    assert (dead.message.payload["number"], dead.error["type"]) == (1, "Panic")


class Array:
    """Compares by element, as arrays do, and so is neither true nor false; the hostile one cannot be compared at all."""

    __hash__ = None  # type: ignore[assignment]

    def __init__(self, error: BaseException | None = None) -> None:
        self.error = error

    def __eq__(self, other: object) -> Any:
        if self.error is not None:
            raise self.error
        return self

    def __bool__(self) -> bool:
        raise ValueError("the truth value of an array is ambiguous")


def embedding(error: BaseException | None = None) -> Act:
    async def embed(context: PipelineContext) -> AdapterResult:
        vector: Any = Array(error) if context.message["number"] == 1 else None
        return AdapterResult(message={**context.message, "vector": vector})

    return embed


async def forget(context: PipelineContext) -> AdapterResult:
    return AdapterResult(message={"number": context.message["number"]})


HAS_VECTOR = AdapterStep(
    type="forget", condition=Condition(field="vector", operator=Operator.NOT_EQUALS, value=None)
)


async def test_a_condition_looks_at_arrays_between_pipeline_adapters() -> None:
    """One is something other than null."""
    async with bench({"fan": fanning(3), "embed": embedding(), "forget": forget}) as on:
        ended = await on.run(route("a", "fan", to="b"), route("b", "embed", HAS_VECTOR))
        entries, _ = await on.lineage.list(LineageQuery(execution_id=ended.id, adapter_name="forget"))
    assert ended_well(ended)
    assert len(entries) == 1


async def test_a_condition_that_panics_fails_its_step_and_nothing_else() -> None:
    """What came before is done; the message is dead at the step whose condition it is."""
    acts = {"fan": fanning(2), "embed": embedding(Panic("no memory")), "forget": forget}
    async with bench(acts) as on:
        ended = await on.run(route("a", "fan", to="b"), route("b", "embed", HAS_VECTOR, max_retries=1))
        (dead,) = await on.dead(ended.id)
        entries = [entry for entry in on.lineage.of(ended.id) if entry.message_id == dead.message.id]
    assert (ended.status, ended.counts.done, ended.counts.dead) == (ExecutionStatus.COMPLETED, 2, 1)
    assert (dead.error["adapter_name"], dead.error["type"], dead.attempts) == ("forget", "Panic", 2)
    found = {(entry.adapter_name, entry.status, entry.attempt) for entry in entries}
    assert found == {
        (name, status, attempt)
        for attempt in (1, 2)
        for name, status in [("embed", StageStatus.COMPLETED), ("forget", StageStatus.FAILED)]
    }


@pytest.mark.parametrize("error", PANICS, ids=lambda error: type(error).__name__)
async def test_a_panic_while_opening_is_the_reason_why_its_run_fails(error: BaseException) -> None:
    """And one while closing changes nothing."""

    class Keeper(ActingAdapter):
        async def open(self, context: RouteContext) -> None:
            if context.route_id == "open":
                raise error

        async def close(self) -> None:
            raise error

    def stateful(route_id: str) -> StatefulAdapters:
        step = (AdapterStep(type="keep"), Keeper(passing))
        return StatefulAdapters(execution_id=uuid4(), steps={route_id: [step]})

    with pytest.raises(
        AdapterNotOpened, match=f"keep of the route open could not be opened: {type(error).__name__}"
    ):
        await stateful("open").open_all()
    other = stateful("close")
    await other.open_all()
    await other.close_all()


def test_what_is_meant_for_the_process_is_raised_again() -> None:
    """It is nobody's failure."""
    for error in (KeyboardInterrupt(), GeneratorExit()):
        with pytest.raises(type(error)):
            failure_by(error)


async def test_a_cancellation_is_a_failure_only_if_nobody_asked_for_it() -> None:
    """And an ordinary error is itself."""
    told: list[BaseException] = []

    async def work() -> None:
        told.append(failure_by(asyncio.CancelledError()))
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError as error:
            told.append(failure_by(error))

    task = asyncio.create_task(work())
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert [type(error) for error in told] == [WorkCancelled]
    plain = ValueError("x")
    assert failure_by(plain) is plain
    panicked = failure_by(SystemExit(2))
    assert isinstance(panicked, AdapterPanicked)
    assert isinstance(panicked.__cause__, SystemExit)
