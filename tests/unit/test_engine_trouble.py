"""Trouble that must not make a run hang, lose anything or take its neighbours along."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence

import pytest

from application.engine.group_commit import GroupClosed, GroupCommit
from application.ports.pipeline_adapter import AdapterResult, Emission, PipelineContext
from domain.errors import Unavailable
from domain.execution import ExecutionStatus
from domain.pipeline import AdapterStep, Condition, Operator
from tests.unit.engines import bench, ended_well, route
from tests.unit.test_engine import Recorder, fanning, passing


async def test_a_retry_that_is_due_while_the_queue_is_full_stops_nothing() -> None:
    """The window is full of slow messages; the retry comes when there is room."""
    tries = 0

    async def slow(context: PipelineContext) -> AdapterResult:
        nonlocal tries
        if context.message["number"] == 0:
            tries += 1
            if tries == 1:
                raise RuntimeError("once")
        await asyncio.sleep(0.02)
        return AdapterResult(message=context.message)

    async with bench({"fan": fanning(60), "slow": slow}, capacity=8) as on:
        ended = await on.run(route("a", "fan", to="b"), route("b", "slow", concurrency=4))
    assert ended_well(ended)
    assert tries == 2


async def test_retries_that_are_due_at_different_moments_all_come() -> None:
    """The later one is not forgotten when the earlier one is offered."""

    async def twice(context: PipelineContext) -> AdapterResult:
        if context.attempt <= 2:
            raise RuntimeError("not yet")
        return AdapterResult(message=context.message)

    async with bench({"fan": fanning(12), "twice": twice}) as on:
        ended = await on.run(route("a", "fan", to="b"), route("b", "twice", concurrency=12))
    assert ended_well(ended)


async def test_an_adapter_whose_own_work_is_cancelled_has_failed() -> None:
    """It is tried again like any other failure, and nothing hangs."""

    async def cancelled(context: PipelineContext) -> AdapterResult:
        if context.attempt == 1:
            future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            future.cancel()
            await future
        return AdapterResult(message=context.message)

    async with bench({"cancelled": cancelled}) as on:
        assert ended_well(await on.run(route("a", "cancelled")))


async def test_a_message_all_of_whose_conditions_are_false_passes_through() -> None:
    """Also when it is the init message, which has no lineage before it."""
    record = Recorder()
    never = AdapterStep(
        type="pass", condition=Condition(field="nothing", operator=Operator.EXISTS, value=True)
    )
    async with bench({"pass": passing, "record": record}) as on:
        ended = await on.run(route("a", never, to="b"), route("b", "record"), payload={"number": 1})
    assert ended_well(ended)
    assert record.numbers == {1: 1}


@pytest.mark.parametrize("nonsense", [{"a": 1}, AdapterResult(message={1: "a", "b": 2}), "text"], ids=repr)  # type: ignore[dict-item]
async def test_a_result_that_is_none_harms_its_message_alone(nonsense: object) -> None:
    """The neighbours go on."""

    async def nonsensical(context: PipelineContext) -> AdapterResult:
        is_bad = context.message["number"] == 1
        return nonsense if is_bad else AdapterResult(message=context.message)  # type: ignore[return-value]

    async with bench({"fan": fanning(5), "nonsensical": nonsensical}) as on:
        ended = await on.run(route("a", "fan", to="b"), route("b", "nonsensical", max_retries=0))
    assert (ended.status, ended.counts.dead, ended.counts.done) == (ExecutionStatus.COMPLETED, 1, 5)


async def test_a_stream_is_read_to_its_end_also_when_nobody_listens() -> None:
    """What an adapter does while it emits is done."""
    seen: list[int] = []

    async def emissions() -> AsyncIterator[Emission]:
        for number in range(3):
            seen.append(number)
            yield Emission(payload={})

    async def stream(context: PipelineContext) -> AdapterResult:
        return AdapterResult(message=context.message, emitted=emissions())

    async with bench({"stream": stream}) as on:
        assert ended_well(await on.run(route("a", "stream")))
    assert seen == [0, 1, 2]


async def test_a_group_with_a_culprit_answers_the_others() -> None:
    """Whatever the culprit raises; and it is told alone."""

    async def commit(items: Sequence[int]) -> Sequence[int]:
        if 13 in items:
            raise RuntimeError("thirteen")
        return [item * 2 for item in items]

    async with GroupCommit[int, int](commit=commit, sleep=asyncio.sleep, linger_seconds=0.001) as group:
        answers = await asyncio.gather(*(group.ask(number) for number in range(20)), return_exceptions=True)
    assert [answer for answer in answers if isinstance(answer, int)] == [n * 2 for n in range(20) if n != 13]
    assert isinstance(answers[13], RuntimeError)


async def test_a_group_waits_out_an_outage() -> None:
    """And is committed once it is over."""
    tries = 0

    async def commit(items: Sequence[int]) -> Sequence[int]:
        nonlocal tries
        tries += 1
        if tries < 3:
            raise Unavailable
        return items

    async with GroupCommit[int, int](commit=commit, sleep=asyncio.sleep, linger_seconds=0.001) as group:
        assert await group.ask(7) == 7
    assert tries == 3


async def test_too_few_answers_are_an_error_and_not_a_silence() -> None:
    """Whoever waits is told."""

    async def commit(items: Sequence[int]) -> Sequence[int]:
        return items[1:]

    async with GroupCommit[int, int](commit=commit, sleep=asyncio.sleep, linger_seconds=0.001) as group:
        with pytest.raises(ValueError, match="0 answers to 1 requests"):
            await group.ask(7)


async def test_who_waits_for_what_was_handed_in_does_not_wait_for_what_others_hand_in() -> None:
    """A run that ends beside a busy one comes to its end."""
    answered: list[int | Exception] = []

    async def commit(items: Sequence[int]) -> Sequence[int]:
        # There is always something waiting when a commit is done.
        group.hand_in(items[-1] + 1, answered.append)
        await asyncio.sleep(0)
        return items

    async with GroupCommit[int, int](commit=commit, sleep=asyncio.sleep, linger_seconds=0.0) as group:
        group.hand_in(0, answered.append)
        async with asyncio.timeout(5):
            await group.drained()
        assert answered[:2] == [0, 1]


async def test_what_is_handed_in_after_the_end_is_answered_too() -> None:
    """So nobody waits for ever."""

    async def commit(items: Sequence[int]) -> Sequence[int]:
        return items

    async with GroupCommit[int, int](commit=commit, sleep=asyncio.sleep) as group:
        assert await group.ask(1) == 1
    answers: list[int | Exception] = []
    group.hand_in(2, answers.append)
    assert isinstance(answers[0], GroupClosed)
    async with asyncio.timeout(5):
        await group.drained()


async def test_a_defect_in_what_follows_a_commit_keeps_nobody_else_from_an_answer() -> None:
    """The log tells of it."""

    async def commit(items: Sequence[int]) -> Sequence[int]:
        return items

    def fail(_: object) -> None:
        raise RuntimeError("a defect")

    async with GroupCommit[int, int](commit=commit, sleep=asyncio.sleep, linger_seconds=0.0) as group:
        group.hand_in(1, fail)
        async with asyncio.timeout(5):
            assert await group.ask(2) == 2
