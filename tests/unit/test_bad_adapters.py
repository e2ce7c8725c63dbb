"""Pipeline adapters that do what they must not: each harms its own message, with a clear reason, and nothing else."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Sequence

import pytest

from adapters.memory.dead_letters import MemoryDeadLetters
from adapters.memory.ledger import MemoryLedger
from application.engine.stopping import stopped
from application.ports.pipeline_adapter import AdapterResult, Emission, PipelineContext
from domain.dead_letter import DeadLetter, DeadLetterFilter
from domain.errors import Invalid
from domain.execution import Execution, ExecutionStatus
from domain.pipeline import AdapterStep, Condition, Operator
from tests.unit.engines import Bench, bench, ended_well, route
from tests.unit.test_engine import fanning, passing

HUGE = "x" * (2 << 20)


async def dead_letters(on: Bench, execution: Execution) -> Sequence[DeadLetter]:
    """Everything of an execution that is dead."""
    assert isinstance(on.ledger, MemoryLedger)
    wanted = DeadLetterFilter(execution_id=execution.id)
    return (await MemoryDeadLetters(on.ledger).list(wanted, limit=100)).letters


def broken_async() -> AsyncIterator[Emission]:
    async def emissions() -> AsyncIterator[Emission]:
        yield Emission(payload={})
        yield {"a": 1}  # type: ignore[misc]

    return emissions()


def generator() -> Iterator[Emission]:
    yield Emission(payload={"n": 1})


def result(**fields: object) -> AdapterResult:
    return AdapterResult(**({"message": {}} | fields))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("make", "code", "said"),
    [
        (
            lambda: {"a": 1},
            "pipeline_adapter_result_invalid",
            "bad returned dict in place of an AdapterResult",
        ),
        (lambda: 5, "pipeline_adapter_result_invalid", "bad returned int"),
        (lambda: Emission(payload={}), "pipeline_adapter_result_invalid", "bad returned Emission"),
        (
            lambda: result(message="text"),
            "pipeline_adapter_result_invalid",
            "str as its message, not a mapping",
        ),
        (lambda: result(message=None), "pipeline_adapter_result_invalid", "NoneType as its message"),
        (lambda: result(metadata=[]), "pipeline_adapter_result_invalid", "list as metadata"),
        (lambda: result(stage=5), "pipeline_adapter_result_invalid", "int as its stage"),
        (lambda: result(emitted=5), "pipeline_adapter_result_invalid", "bad emitted int"),
        (lambda: result(emitted={"a": 1}), "pipeline_adapter_result_invalid", "bad emitted dict"),
        (lambda: result(emitted="text"), "pipeline_adapter_result_invalid", "bad emitted str"),
        (lambda: result(emitted=[{"a": 1}]), "emission_invalid", "dict was emitted in place of an Emission"),
        (lambda: result(emitted=[None]), "emission_invalid", "NoneType was emitted"),
        (lambda: result(emitted=broken_async()), "emission_invalid", "dict was emitted"),
        (lambda: result(emitted=[Emission(payload=[])]), "emission_invalid", "must be mappings"),  # type: ignore[arg-type]
        (lambda: result(emitted=[Emission(payload={}, metadata=5)]), "emission_invalid", "must be mappings"),  # type: ignore[arg-type]
        (lambda: result(emitted=[Emission(payload={}, key=5)]), "emission_invalid", "int as its key"),  # type: ignore[arg-type]
        (lambda: result(message={"a": object()}), "payload_rejected", "object is not JSON serializable"),
        (lambda: result(message={"a": {1, 2}}), "payload_rejected", "set is not JSON serializable"),
        (lambda: result(message={"a": float("nan")}), "payload_rejected", "Out of range float"),
        (lambda: result(message={1: "a", "b": 2}), "payload_rejected", "not supported between"),
        (lambda: result(message={("a",): 1}), "payload_rejected", "keys must be str"),
        (lambda: result(message={"a": "b\0c"}), "payload_rejected", ""),
        (lambda: result(message={"a": "\ud800"}), "payload_rejected", ""),
        (
            lambda: result(message={"$claim_check": {}}),
            "payload_rejected",
            "may not have the key $claim_check",
        ),
        (lambda: result(message={"a": HUGE}), "message_too_large", "over the limit of 1,048,576"),
        (lambda: result(emitted=[Emission(payload={"a": HUGE})]), "message_too_large", "send its key"),
    ],
)
async def test_nonsense_makes_its_message_dead_at_once_and_says_what_it_was(
    make: Callable[[], object], code: str, said: str
) -> None:
    """No retry would mend it; the neighbours go on."""
    attempts = 0

    async def bad(context: PipelineContext) -> AdapterResult:
        nonlocal attempts
        if context.message["number"] != 1:
            return AdapterResult(message=context.message)
        attempts += 1
        return make()  # type: ignore[return-value]

    async with bench({"fan": fanning(4), "bad": bad, "pass": passing}) as on:
        ended = await on.run(route("a", "fan", to="b"), route("b", "bad", to="c"), route("c", "pass"))
        (dead,) = await dead_letters(on, ended)
    assert (ended.status, ended.counts.dead, attempts) == (ExecutionStatus.COMPLETED, 1, 1)
    assert dead.error["code"] == code
    assert said in str(dead.error["message"])


async def test_a_message_that_leaves_its_last_route_as_no_json_is_dead_too() -> None:
    """Though nothing would have been sent."""

    async def bad(context: PipelineContext) -> AdapterResult:
        return AdapterResult(message={1: "a", "b": 2})  # type: ignore[dict-item]

    async with bench({"bad": bad}) as on:
        ended = await on.run(route("a", "bad"))
    assert ended.status is ExecutionStatus.FAILED
    assert ended.error_info is not None
    assert ended.error_info["code"] == "payload_rejected"


async def test_a_generator_of_emissions_is_as_good_as_a_list() -> None:
    """It need not be a sequence."""

    async def emit(context: PipelineContext) -> AdapterResult:
        return result(emitted=generator())

    async with bench({"emit": emit, "pass": passing}) as on:
        ended = await on.run(route("a", "emit", to="b"), route("b", "pass"))
    assert ended_well(ended)
    assert ended.counts.done == 2


async def test_what_is_emitted_before_the_last_pipeline_adapter_is_an_error() -> None:
    """It would go nowhere, and silently."""
    never = AdapterStep(type="pass", condition=Condition(field="x", operator=Operator.EXISTS, value=True))

    async def emit(context: PipelineContext) -> AdapterResult:
        return result(emitted=[Emission(payload={})])

    async with bench({"emit": emit, "pass": passing}) as on:
        ended = await on.run(route("a", "emit", "pass"))
        assert ended.error_info is not None
        assert "emit emits and is not the last" in str(ended.error_info["message"])
        assert ended_well(await on.run(route("a", "emit", never)))


@pytest.mark.parametrize(("payloads", "is_right"), [((1, 1), True), ((1, 2), False)])
async def test_two_emissions_under_one_key_are_one_or_an_error(
    payloads: tuple[int, int], is_right: bool
) -> None:
    """The same said twice is harmless; another thing under the same key is not swallowed."""

    async def emit(context: PipelineContext) -> AdapterResult:
        return result(emitted=[Emission(payload={"n": n}, key="same") for n in payloads])

    async with bench({"emit": emit, "pass": passing}) as on:
        ended = await on.run(route("a", "emit", to="b"), route("b", "pass"))
    if is_right:
        assert ended_well(ended)
        assert ended.counts.done == 2
    else:
        assert ended.status is ExecutionStatus.FAILED
        assert ended.error_info is not None
        assert ended.error_info["code"] == "emission_changed"


async def test_a_payload_that_is_not_what_an_adapter_expects_is_dead_with_its_reason() -> None:
    """The adapter says so by an error of kind Invalid."""

    async def picky(context: PipelineContext) -> AdapterResult:
        if not isinstance(context.message.get("number"), str):
            raise Invalid("the field 'number' is not a text")
        raise AssertionError

    async with bench({"fan": fanning(2), "picky": picky}) as on:
        ended = await on.run(route("a", "fan", to="b"), route("b", "picky"))
        dead = await dead_letters(on, ended)
    assert (ended.status, ended.counts.dead) == (ExecutionStatus.COMPLETED, 2)
    assert {(one.error["code"], one.error["message"]) for one in dead} == {
        ("invalid", "the field 'number' is not a text")
    }
    assert [one.attempts for one in dead] == [1, 1]


async def test_an_adapter_that_hangs_is_timed_out_and_tried_again() -> None:
    """And its neighbour does not wait for it."""
    attempts: list[int] = []

    async def hanging(context: PipelineContext) -> AdapterResult:
        if context.message["number"] == 1:
            attempts.append(context.attempt)
            if context.attempt < 3:
                await asyncio.Event().wait()
        return AdapterResult(message=context.message)

    async with bench({"fan": fanning(3), "hang": hanging}, adapter_timeout=0.05) as on:
        ended = await on.run(route("a", "fan", to="b"), route("b", "hang"))
    assert ended_well(ended)
    assert attempts == [1, 2, 3]


async def test_an_adapter_that_hangs_for_ever_ends_dead_by_its_time_limit() -> None:
    """After its retries, and the reason names the limit."""

    async def hanging(context: PipelineContext) -> AdapterResult:
        await asyncio.Event().wait()
        raise AssertionError

    async with bench({"fan": fanning(1), "hang": hanging}, adapter_timeout=0.02) as on:
        ended = await on.run(route("a", "fan", to="b"), route("b", "hang", max_retries=1))
        (dead,) = await dead_letters(on, ended)
    assert (ended.status, dead.error["code"], dead.attempts) == (ExecutionStatus.COMPLETED, "timeout", 2)
    assert "0.02 seconds" in str(dead.error["message"])


async def test_an_adapter_that_swallows_one_cancellation_is_still_timed_out() -> None:
    """It is cancelled again until it heeds."""
    swallowed = 0

    async def stubborn(context: PipelineContext) -> AdapterResult:
        nonlocal swallowed
        if context.attempt == 1:
            for _ in range(3):
                try:
                    await asyncio.Event().wait()
                except asyncio.CancelledError:
                    swallowed += 1
            await asyncio.Event().wait()
        return AdapterResult(message={})

    async with bench({"stubborn": stubborn}, adapter_timeout=0.02) as on:
        assert ended_well(await on.run(route("a", "stubborn")))
    assert swallowed == 3


async def test_an_adapter_that_never_heeds_a_cancellation_cannot_keep_a_run_from_being_cancelled(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """It is given up and told of; everything else of the run is settled."""
    begun, may_end = asyncio.Event(), asyncio.Event()

    async def deaf(context: PipelineContext) -> AdapterResult:
        begun.set()
        while not may_end.is_set():
            try:
                await may_end.wait()
            except asyncio.CancelledError:
                continue
        return AdapterResult(message={})

    async with bench({"fan": fanning(20), "deaf": deaf}) as on:
        started = await on.start(route("a", "fan", to="b"), route("b", "deaf", concurrency=2))
        await begun.wait()
        await on.ledger.conclude(started.id, ExecutionStatus.CANCELLED, now=on.engine.ports.clock.now())
        on.engine.stop(started.id, ExecutionStatus.CANCELLED)
        ended = await on.ended(started.id)
        may_end.set()
    assert (ended.status, ended.counts.cancelled) == (ExecutionStatus.CANCELLED, 20)
    assert "2 tasks of the route b swallow their cancellation" in caplog.text


async def test_what_can_be_stopped_is_stopped_at_once() -> None:
    """Nothing to stop is stopped as well."""

    async def wait() -> None:
        await asyncio.Event().wait()

    tasks = [asyncio.create_task(wait()) for _ in range(3)]
    await asyncio.sleep(0)
    assert await stopped(tasks, "a test", patience_seconds=60) == 0
    assert all(task.cancelled() for task in tasks)
    assert await stopped([], "a test") == 0


async def test_what_ends_late_changes_nothing() -> None:
    """A result that comes after the cancellation belongs to nobody."""
    begun, may_end = asyncio.Event(), asyncio.Event()

    async def late(context: PipelineContext) -> AdapterResult:
        begun.set()
        try:
            await may_end.wait()
        except asyncio.CancelledError:
            may_end.set()
        return result(emitted=[Emission(payload={})])

    async with bench({"late": late, "pass": passing}) as on:
        started = await on.start(route("a", "late", to="b"), route("b", "pass"))
        await begun.wait()
        await on.ledger.conclude(started.id, ExecutionStatus.CANCELLED, now=on.engine.ports.clock.now())
        on.engine.stop(started.id, ExecutionStatus.CANCELLED)
        ended = await on.ended(started.id)
    assert (ended.counts.cancelled, ended.counts.done) == (1, 0)
