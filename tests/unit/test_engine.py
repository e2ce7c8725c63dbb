"""What the engine does with messages, whatever their pipeline adapters do."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator

import pytest

from application.ports.ledger import ClaimRequest
from application.ports.lineage import LineageQuery
from application.ports.pipeline_adapter import AdapterResult, Emission, PipelineContext
from domain.errors import Invalid, Unavailable
from domain.execution import ExecutionStatus
from domain.lineage import StageStatus
from domain.pipeline import AdapterStep, Condition, Operator
from tests.unit.engines import Act, bench, ended_well, route


async def passing(context: PipelineContext) -> AdapterResult:
    """Hand the message on as it is."""
    return AdapterResult(message=context.message)


def fanning(count: int) -> Act:
    """Emit so many messages at once."""

    async def act(context: PipelineContext) -> AdapterResult:
        return AdapterResult(
            message=context.message, emitted=[Emission(payload={"number": number}) for number in range(count)]
        )

    return act


def streaming(count: int) -> Act:
    """Emit so many messages one after another."""

    async def emissions() -> AsyncIterator[Emission]:
        for number in range(count):
            yield Emission(payload={"number": number})

    async def act(context: PipelineContext) -> AdapterResult:
        return AdapterResult(message=context.message, emitted=emissions())

    return act


class Recorder:
    """Counts the numbers it is given."""

    def __init__(self) -> None:
        self.numbers: Counter[object] = Counter()

    async def __call__(self, context: PipelineContext) -> AdapterResult | None:
        self.numbers[context.message.get("number")] += 1
        return AdapterResult(message=context.message)


async def test_a_message_goes_from_route_to_route() -> None:
    """And the execution completes when the last has been settled."""
    record = Recorder()
    async with bench({"pass": passing, "record": record}) as on:
        ended = await on.run(
            route("a", "pass", to="b"),
            route("b", "pass", to="c"),
            route("c", "record"),
            payload={"number": 7},
        )
    assert ended_well(ended)
    assert ended.counts.done == 3
    assert record.numbers == {7: 1}


@pytest.mark.parametrize("fan", [fanning, streaming])
@pytest.mark.parametrize("count", [0, 1, 256, 257, pytest.param(600, marks=pytest.mark.slow)])
async def test_a_fan_out_reaches_every_queue_once_each(fan: object, count: int) -> None:
    """One output to two queues is two children; a small window onto the ledger loses none."""
    left, right = Recorder(), Recorder()
    acts: dict[str, Act] = {"fan": fan(count), "left": left, "right": right}  # type: ignore[operator]
    async with bench(acts, capacity=16) as on:
        ended = await on.run(route("a", "fan", to=("b", "c")), route("b", "left"), route("c", "right"))
    assert ended_well(ended)
    assert ended.counts.done == 1 + 2 * count
    assert left.numbers == right.numbers == Counter(range(count))


async def test_none_ends_a_message_as_skipped() -> None:
    """The adapters after it do not run."""

    async def nothing(context: PipelineContext) -> None:
        del context

    record = Recorder()
    async with bench({"nothing": nothing, "record": record}) as on:
        ended = await on.run(route("a", "nothing", "record", to="b"), route("b", "record"))
    assert (ended.status, ended.counts.skipped, ended.counts.total) == (ExecutionStatus.COMPLETED, 1, 1)
    assert not record.numbers


async def test_a_false_condition_skips_its_adapter_alone() -> None:
    """The next one runs."""
    first, second = Recorder(), Recorder()
    gated = AdapterStep(
        type="first", condition=Condition(field="number", operator=Operator.GREATER_THAN, value=5)
    )
    async with bench({"first": first, "second": second}) as on:
        await on.run(route("a", gated, "second"), payload={"number": 3})
    assert (first.numbers, second.numbers) == (Counter(), Counter({3: 1}))


async def test_a_terminal_error_is_dead_at_once_and_the_rest_goes_on() -> None:
    """With the reason, the attempts, and a failed lineage entry."""

    async def choosy(context: PipelineContext) -> AdapterResult:
        if context.message["number"] == 3:
            raise Invalid("three is not for me")
        return AdapterResult(message=context.message)

    async with bench({"fan": fanning(5), "choosy": choosy}) as on:
        ended = await on.run(route("a", "fan", to="b"), route("b", "choosy"))
        (dead,) = await on.dead(ended.id)
        failed, _ = await on.lineage.list(LineageQuery(execution_id=ended.id, status=StageStatus.FAILED))
    assert (ended.status, ended.counts.done, ended.counts.dead) == (ExecutionStatus.COMPLETED, 5, 1)
    assert dead.error["message"] == "three is not for me"
    assert dead.attempts == 1
    assert [entry.message_id for entry in failed] == [dead.message.id]


async def test_an_unexpected_error_is_retried_to_the_routes_limit() -> None:
    """Then the message is dead, with a traceback."""
    tries: list[int] = []

    async def broken(context: PipelineContext) -> AdapterResult:
        tries.append(context.attempt)
        raise RuntimeError("boom\0")

    async with bench({"fan": fanning(1), "broken": broken}) as on:
        ended = await on.run(route("a", "fan", to="b"), route("b", "broken", max_retries=2))
        (dead,) = await on.dead(ended.id)
    assert tries == [1, 2, 3]
    assert dead.attempts == 3
    assert "boom" in str(dead.error["traceback"])


async def test_an_outage_uses_up_no_retries() -> None:
    """The message waits and is tried again until the outage is over."""
    tries = 0

    async def flaky(context: PipelineContext) -> AdapterResult:
        nonlocal tries
        tries += 1
        if tries == 1:
            raise Unavailable("the model is away")
        return AdapterResult(message=context.message)

    async with bench({"flaky": flaky}) as on:
        ended = await on.run(route("a", "flaky", max_retries=0))
    assert ended_well(ended)
    assert tries == 2


async def test_an_init_message_that_dies_fails_the_execution() -> None:
    """With its error."""

    async def broken(context: PipelineContext) -> AdapterResult:
        raise Invalid(f"no folder for {context.route_id}")

    async with bench({"broken": broken}) as on:
        ended = await on.run(route("a", "broken"))
    assert ended.status is ExecutionStatus.FAILED
    assert ended.error_info is not None
    assert ended.error_info["message"] == "no folder for a"


async def test_an_adapter_that_hangs_is_stopped_by_its_time_limit() -> None:
    """It counts as failed."""

    async def hanging(context: PipelineContext) -> AdapterResult:
        await asyncio.sleep(60)
        return AdapterResult(message=context.message)

    async with bench({"fan": fanning(1), "hang": hanging}, adapter_timeout=0.1) as on:
        ended = await on.run(route("a", "fan", to="b"), route("b", "hang", max_retries=0))
        (dead,) = await on.dead(ended.id)
    assert dead.error["code"] == "timeout"


@pytest.mark.parametrize("payload", [{"text": "a\0b"}, {"text": "\ud800"}, {"text": "x" * 2_000_000}])
async def test_an_emission_that_cannot_be_stored_kills_its_parent_alone(payload: dict[str, str]) -> None:
    """Its siblings in the same transaction are not harmed."""

    async def emit(context: PipelineContext) -> AdapterResult:
        is_bad = context.message["number"] == 2
        return AdapterResult(message=context.message, emitted=[Emission(payload=payload if is_bad else {})])

    record = Recorder()
    async with bench({"fan": fanning(6), "emit": emit, "record": record}) as on:
        ended = await on.run(
            route("a", "fan", to="b"), route("b", "emit", to="c", concurrency=6), route("c", "record")
        )
    assert (ended.status, ended.counts.dead, ended.counts.done) == (ExecutionStatus.COMPLETED, 1, 11)
    assert record.numbers.total() == 5


async def test_a_stream_that_says_that_it_is_still_at_it_is_not_timed_out() -> None:
    """None stands for no emission and for no position: where it comes in between may differ between two attempts."""

    def silent_for(steps: int) -> Act:
        async def emissions() -> AsyncIterator[Emission | None]:
            for _ in range(steps):
                await asyncio.sleep(0.1)
                yield None
            for number in range(3):
                yield Emission(payload={"number": number})
                yield None

        async def act(context: PipelineContext) -> AdapterResult:
            return AdapterResult(message=context.message, emitted=emissions())

        return act

    record = Recorder()
    async with bench({"stream": silent_for(8), "record": record}, adapter_timeout=0.5) as on:
        ended = await on.run(route("a", "stream", to="b"), route("b", "record"))
    assert ended_well(ended)
    assert record.numbers == Counter(range(3))


async def test_a_stream_that_breaks_off_kills_its_message_and_keeps_what_was_committed() -> None:
    """Chunks committed before the error are real messages."""

    async def emissions() -> AsyncIterator[Emission]:
        for number in range(300):
            yield Emission(payload={"number": number})
        raise Invalid("the folder went away")

    async def act(context: PipelineContext) -> AdapterResult:
        return AdapterResult(message=context.message, emitted=emissions())

    record = Recorder()
    async with bench({"pass": passing, "stream": act, "record": record}) as on:
        ended = await on.run(route("z", "pass", to="a"), route("a", "stream", to="b"), route("b", "record"))
    assert (ended.status, ended.counts.dead, ended.counts.done) == (ExecutionStatus.COMPLETED, 1, 257)
    assert record.numbers == Counter(range(256))


async def test_cancelling_stops_what_is_in_flight_and_settles_the_rest() -> None:
    """Within a second, however much waits."""
    begun = asyncio.Event()

    async def slow(context: PipelineContext) -> AdapterResult:
        begun.set()
        await asyncio.sleep(30)
        return AdapterResult(message=context.message)

    async with bench({"fan": fanning(500), "slow": slow}, capacity=32) as on:
        started = await on.start(route("a", "fan", to="b"), route("b", "slow"))
        await begun.wait()
        await on.ledger.conclude(started.id, ExecutionStatus.CANCELLED, now=on.engine.ports.clock.now())
        on.engine.stop(started.id, ExecutionStatus.CANCELLED)
        ended = await on.ended(started.id, within=1.0)
        assert on.engine.running == []
    assert (ended.status, ended.counts.done, ended.counts.cancelled) == (ExecutionStatus.CANCELLED, 1, 500)


async def test_closing_the_engine_hands_everything_back() -> None:
    """The run is marked as interrupted, and another engine can claim at once."""
    begun = asyncio.Event()

    async def slow(context: PipelineContext) -> AdapterResult:
        begun.set()
        await asyncio.sleep(30)
        return AdapterResult(message=context.message)

    async with bench({"slow": slow}) as on:
        started = await on.start(route("a", "slow"))
        await begun.wait()
    seen = await on.seen(started.id)
    assert (seen.status, seen.counts.outstanding) == (ExecutionStatus.INTERRUPTED, 1)
    ports = on.engine.ports
    waiting = await ports.ledger.waiting(started.id, "a", limit=5, now=ports.clock.now())
    request = ClaimRequest(message_id=waiting[0], token=ports.ids.new_id())
    assert len(await ports.ledger.claim([request], owner=ports.owner, now=ports.clock.now())) == 1


async def test_a_route_that_feeds_itself_ends() -> None:
    """A crawler of a hundred thousand pages in small: nobody waits for room in a queue of its own."""
    record = Recorder()

    async def crawl(context: PipelineContext) -> AdapterResult:
        depth = context.message["depth"]
        assert isinstance(depth, int)
        await record(context)

        async def links() -> AsyncIterator[Emission]:
            for _ in range(3 if depth else 0):
                yield Emission(payload={"depth": depth - 1})

        return AdapterResult(message=context.message, emitted=links())

    async with bench({"crawl": crawl}, capacity=4) as on:
        ended = await on.run(route("a", "crawl", to="a", concurrency=3), payload={"depth": 5})
    assert ended_well(ended)
    assert ended.counts.done == sum(3**level for level in range(6))


async def test_lineage_links_every_entry_to_the_one_it_came_from() -> None:
    """Adapters of a route to each other, messages to the attempt that emitted them."""
    async with bench({"fan": fanning(2), "pass": passing}) as on:
        ended = await on.run(route("a", "pass", "fan", to="b"), route("b", "pass"))
        entries, total = await on.lineage.list(LineageQuery(execution_id=ended.id))
    assert total == 4
    by_id = {entry.id: entry for entry in entries}
    first = next(entry for entry in entries if entry.parent_id is None)
    second = next(entry for entry in entries if entry.parent_id == first.id)
    assert (first.adapter_index, second.adapter_index, second.route_id) == (0, 1, "a")
    leaves = [entry for entry in entries if entry.route_id == "b"]
    assert all(by_id[entry.parent_id].id == second.id for entry in leaves if entry.parent_id)
    assert first.input_hash is not None
    assert second.output_hash is not None


async def test_a_second_attempt_finds_what_the_first_kept() -> None:
    """A random adapter agrees with itself."""
    found: list[bytes | None] = []

    async def costly(context: PipelineContext) -> AdapterResult:
        found.append(await context.stage.kept("costly"))
        await context.stage.keep("costly", str(context.attempt).encode())
        if context.attempt == 1:
            raise RuntimeError("after the work was done")
        return AdapterResult(message=context.message)

    async with bench({"costly": costly}) as on:
        ended = await on.run(route("a", "costly"))
    assert ended_well(ended)
    assert found == [None, b"1"]


async def test_a_defect_in_the_engine_fails_the_run_with_the_reason() -> None:
    """It does not hang."""

    async def passing_nonsense(context: PipelineContext) -> AdapterResult:
        del context
        return "not a result"  # type: ignore[return-value]

    async with bench({"nonsense": passing_nonsense}) as on:
        ended = await on.run(route("a", "nonsense", max_retries=0))
    assert ended.status is ExecutionStatus.FAILED
    assert ended.error_info is not None
