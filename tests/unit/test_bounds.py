"""What the engine holds in memory is bounded by size, whatever is slow, paused or large."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from application.engine import attempt, inbox, streaming
from application.engine.group_commit import GroupCommit
from application.engine.route_gate import DRAINING
from application.engine.weight import born_weight, characters_of
from application.ports.pipeline_adapter import AdapterResult, Emission, PipelineContext
from domain.digest import encode
from tests.unit.engines import Act, bench, ended_well, route
from tests.unit.late_ledgers import LateLedger

WINDOW = 40_000


async def done(context: PipelineContext) -> AdapterResult:
    return AdapterResult(message=context.message)


async def until_still(count: list[int]) -> int:
    """The last of the counts when none has come for a while."""
    before = -1
    while before != len(count):
        before = len(count)
        await asyncio.sleep(0.1)
    return before


async def test_what_waits_to_be_settled_is_bounded_by_what_it_emits(monkeypatch: pytest.MonkeyPatch) -> None:
    """While a commit takes its time, little more is begun than a window's worth of children."""
    monkeypatch.setattr(inbox, "WINDOW_CHARACTERS", WINDOW)
    go, begun = asyncio.Event(), list[int]()

    async def fan(context: PipelineContext) -> AdapterResult:
        return AdapterResult(message={}, emitted=[Emission(payload={"n": n}) for n in range(100)])

    async def split(context: PipelineContext) -> AdapterResult:
        begun.append(1)
        return AdapterResult(message={}, emitted=[Emission(payload={"text": "x" * 1000}) for _ in range(10)])

    async def settling(settlements: object) -> None:
        assert isinstance(settlements, Sequence)
        if any(len(one.children) == 10 for one in settlements):
            await go.wait()

    late = LateLedger(settling=settling)
    acts: dict[str, Act] = {"fan": fan, "split": split, "done": done}
    async with bench(acts, ledger=late, executions=late.inner) as on:
        started = await on.start(
            route("a", "fan", to="b"), route("b", "split", to="c", concurrency=2), route("c", "done")
        )
        # Four make a window's worth, two may be at work beside them.
        assert await until_still(begun) <= 6
        go.set()
        ended = await on.ended(started.id)
    assert ended_well(ended)
    assert ended.counts.done == 1 + 100 + 1000


async def test_no_more_is_claimed_than_a_window_of_payloads_and_what_was_asked_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(inbox, "WINDOW_CHARACTERS", WINDOW)
    go = asyncio.Event()

    async def fan(context: PipelineContext) -> AdapterResult:
        return AdapterResult(message={}, emitted=[Emission(payload={"text": "x" * 1000}) for _ in range(900)])

    async def hold(context: PipelineContext) -> AdapterResult:
        await go.wait()
        return await done(context)

    async with bench({"fan": fan, "hold": hold}, capacity=20) as on:
        started = await on.start(route("a", "fan", to="b"), route("b", "hold"))
        await asyncio.sleep(0.3)
        assert len(on.engine.processor(started.id, "b").inbox.held) <= 60  # type: ignore[union-attr]
        go.set()
        ended = await on.ended(started.id)
    assert ended_well(ended)
    assert ended.counts.done == 901


async def test_what_is_emitted_at_once_and_is_too_much_for_one_commit_goes_in_parts(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """All that was emitted is there in the end, once."""
    for module in (streaming, attempt):
        monkeypatch.setattr(module, "PART_CHARACTERS", 5_000)
    sizes, numbers = list[int](), list[object]()

    async def fan(context: PipelineContext) -> AdapterResult:
        emitted = [Emission(payload={"n": n, "text": "x" * 1000}) for n in range(50)]
        return AdapterResult(message={}, emitted=emitted)

    async def note(context: PipelineContext) -> AdapterResult:
        numbers.append(context.message["n"])
        return await done(context)

    async def extended(children: object) -> None:
        assert isinstance(children, Sequence)
        sizes.append(born_weight(children))

    late = LateLedger(extended=extended)
    async with bench({"fan": fan, "note": note}, ledger=late, executions=late.inner) as on:
        ended = await on.run(route("a", "fan", to="b"), route("b", "note"))
    assert ended_well(ended)
    assert sorted(numbers, key=str) == sorted(range(50), key=str)
    assert (len(sizes), max(sizes) <= 5_000) == (12, True)


async def test_a_group_of_settlements_is_cut_where_it_becomes_too_heavy() -> None:
    """One that is too heavy alone goes alone; every item is answered, in order."""
    groups, go = list[list[int]](), asyncio.Event()

    async def commit(items: Sequence[int]) -> Sequence[int]:
        groups.append(list(items))
        await go.wait()
        return items

    commits: GroupCommit[int, int] = GroupCommit(
        commit=commit, sleep=asyncio.sleep, linger_seconds=0, weight=lambda item: item, heaviest=10
    )
    async with commits:
        answers = [asyncio.ensure_future(commits.ask(item)) for item in (1, 4, 5, 1, 50, 2, 3)]
        await asyncio.sleep(0.01)
        go.set()
        assert await asyncio.gather(*answers) == [1, 4, 5, 1, 50, 2, 3]
    assert groups == [[1, 4, 5], [1], [50], [2, 3]]


@pytest.mark.parametrize("reason", ["test", DRAINING])
async def test_a_stream_waits_for_room_through_a_pause_but_not_when_all_comes_to_rest(reason: str) -> None:
    """Or a pause would set it loose: nothing holds back what it emits any more."""
    emitted, go = list[int](), asyncio.Event()

    async def stream(context: PipelineContext) -> AdapterResult:
        async def emissions() -> AsyncIterator[Emission]:
            for number in range(6000):
                emitted.append(number)
                yield Emission(payload={"n": number})

        return AdapterResult(message={}, emitted=emissions())

    async def hold(context: PipelineContext) -> AdapterResult:
        await go.wait()
        return await done(context)

    async with bench({"stream": stream, "hold": hold}) as on:
        started = await on.start(route("a", "stream", to="b"), route("b", "hold", concurrency=10))
        held_back = await until_still(emitted)
        assert held_back < 3000
        gates = on.engine.gates.of(started.id)
        gates["a"].pause(reason)
        after = await until_still(emitted)
        assert after == (held_back if reason == "test" else 6000)
        go.set()
        gates["a"].resume(reason)
        ended = await on.ended(started.id)
    assert ended_well(ended)
    assert ended.counts.done == 6001


JSON = st.recursive(
    st.text() | st.integers() | st.booleans() | st.none() | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@given(JSON)
def test_what_a_payload_is_taken_to_weigh_is_no_less_than_its_texts(value: object) -> None:
    """And, texts apart that are escaped, not many times what it does weigh."""
    weight, size = characters_of(value), encode(value).size
    assert weight <= 16 * (size + 1)
    if isinstance(value, str):
        assert weight == len(value)
