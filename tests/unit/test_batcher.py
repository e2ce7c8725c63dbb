"""Doing the work of many messages together."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextvars import ContextVar

import pytest

from application.batcher import Batcher
from domain.errors import FactflowError, Invalid, Unavailable


class Doubling:
    """Doubles numbers once the gate is open; keeps the batches it was given."""

    def __init__(self) -> None:
        self.batches: list[list[int]] = []
        self.gate = asyncio.Event()
        self.gate.set()

    async def work(self, numbers: Sequence[int]) -> Sequence[int]:
        self.batches.append(list(numbers))
        await self.gate.wait()
        if 13 in numbers:
            raise Invalid("13 cannot be doubled")
        if 99 in numbers:
            raise Unavailable("nobody is at home")
        return [2 * number for number in numbers]


@pytest.fixture
def doubling() -> Doubling:
    return Doubling()


async def settled() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


async def test_a_lone_item_starts_at_once(doubling: Doubling) -> None:
    """There is no timer to wait for."""
    async with asyncio.timeout(0.05):
        assert await Batcher(doubling.work, size=100).submit(4) == 8


async def test_a_batch_is_not_taken_for_a_part_of_what_the_first_item_belongs_to() -> None:
    """Its log lines, and what it asks of others, would be found beside a message or request that has long ended."""
    at_hand: ContextVar[str | None] = ContextVar("at_hand", default=None)
    seen: list[str | None] = []
    gate = asyncio.Event()

    async def work(names: Sequence[str]) -> Sequence[str]:
        seen.append(at_hand.get())
        await gate.wait()
        return names

    async def submitted(name: str) -> str:
        at_hand.set(name)
        return await batcher.submit(name)

    batcher: Batcher[str, str] = Batcher(work, size=1)
    tasks = [asyncio.create_task(submitted(name)) for name in ("first", "second")]
    await settled()
    gate.set()
    assert await asyncio.gather(*tasks) == ["first", "second"]
    assert seen == [None, None]


async def test_items_that_come_while_one_batch_is_at_work_make_the_next(doubling: Doubling) -> None:
    """In the order they came, and never more than the size."""
    batcher = Batcher(doubling.work, size=3)
    doubling.gate.clear()
    first = asyncio.create_task(batcher.submit(1))
    await settled()
    others = [asyncio.create_task(batcher.submit(number)) for number in range(2, 7)]
    await settled()
    doubling.gate.set()
    assert await asyncio.gather(first, *others) == [2, 4, 6, 8, 10, 12]
    assert doubling.batches == [[1], [2, 3, 4], [5, 6]]


async def test_a_batch_is_whoever_waits_longest_with_those_nearest_in_weight(doubling: Doubling) -> None:
    """So nobody is overtaken for ever, and within a batch the order stays."""
    batcher = Batcher(doubling.work, size=3, weigh=float)
    doubling.gate.clear()
    first = asyncio.create_task(batcher.submit(1))
    await settled()
    numbers = [50, 7, 52, 9, 100, 48, 8, 101]
    others = [asyncio.create_task(batcher.submit(number)) for number in numbers]
    await settled()
    doubling.gate.set()
    assert await asyncio.gather(first, *others) == [2, *(2 * number for number in numbers)]
    assert doubling.batches == [[1], [50, 52, 48], [7, 9, 8], [100, 101]]


async def test_who_was_cancelled_takes_no_place_beside_the_heavy_and_the_light(doubling: Doubling) -> None:
    batcher = Batcher(doubling.work, size=2, weigh=float)
    doubling.gate.clear()
    first = asyncio.create_task(batcher.submit(1))
    await settled()
    others = [asyncio.create_task(batcher.submit(number)) for number in (50, 7, 51, 8)]
    await settled()
    others[0].cancel()
    await settled()
    doubling.gate.set()
    await asyncio.gather(first, *others, return_exceptions=True)
    assert doubling.batches == [[1], [7, 8], [51]]


async def test_after_a_full_batch_the_next_gathers_a_little_longer(doubling: Doubling) -> None:
    """After a lone item it does not."""
    batcher = Batcher(doubling.work, size=10, pause=0.02)
    async with asyncio.timeout(5):
        assert [await batcher.submit(number) for number in (1, 2)] == [2, 4]
        await asyncio.gather(*map(batcher.submit, (3, 4)))
        late = [asyncio.create_task(batcher.submit(5))]
        await settled()
        late.append(asyncio.create_task(batcher.submit(6)))
        assert await asyncio.gather(*late) == [10, 12]
    assert doubling.batches == [[1], [2], [3, 4], [5, 6]]


async def test_two_lanes_have_two_batches_at_work(doubling: Doubling) -> None:
    batcher = Batcher(doubling.work, size=2, lanes=2)
    doubling.gate.clear()
    waiting = [asyncio.create_task(batcher.submit(number)) for number in range(6)]
    await settled()
    assert doubling.batches == [[0, 1], [2, 3]]
    doubling.gate.set()
    assert await asyncio.gather(*waiting) == [0, 2, 4, 6, 8, 10]


async def test_a_cancelled_item_leaves_its_neighbours_alone(doubling: Doubling) -> None:
    """Whether it waits or is at work."""
    batcher = Batcher(doubling.work, size=2)
    doubling.gate.clear()
    waiting = [asyncio.create_task(batcher.submit(number)) for number in range(5)]
    await settled()
    waiting[0].cancel()
    waiting[3].cancel()
    await settled()
    doubling.gate.set()
    results = await asyncio.gather(*waiting, return_exceptions=True)
    assert [result for result in results if isinstance(result, int)] == [2, 4, 8]
    assert doubling.batches == [[0, 1], [2, 4]]


async def test_one_bad_item_fails_alone(doubling: Doubling) -> None:
    """The batch is halved until it is found."""
    batcher = Batcher(doubling.work, size=8)
    numbers = [1, 2, 13, 4, 5, 6, 7]
    results = await asyncio.gather(*map(batcher.submit, numbers), return_exceptions=True)
    assert isinstance(results.pop(2), Invalid)
    assert results == [2, 4, 8, 10, 12, 14]


async def test_an_outage_is_everyones_and_is_not_tried_again(doubling: Doubling) -> None:
    batcher = Batcher(doubling.work, size=8)
    results = await asyncio.gather(*map(batcher.submit, [1, 99, 3]), return_exceptions=True)
    assert [type(result) for result in results] == [Unavailable] * 3
    assert len(doubling.batches) == 1
    assert await batcher.submit(5) == 10


async def test_a_result_too_few_is_an_error() -> None:
    async def forgetful(numbers: Sequence[int]) -> Sequence[int]:
        return list(numbers)[1:]

    with pytest.raises(FactflowError, match="0 results came back for 1"):
        await Batcher(forgetful, size=4).submit(1)


async def test_items_given_together_come_back_together(doubling: Doubling) -> None:
    """Beside those of others, in batches that are full; the first error is everyone's of that call alone."""
    batcher = Batcher(doubling.work, size=4)
    first, bad, none, second = await asyncio.gather(
        batcher.submit_all([1, 2, 3]),
        batcher.submit_all([4, 13, 5]),
        batcher.submit_all([]),
        batcher.submit_all([6, 7]),
        return_exceptions=True,
    )
    assert (first, none, second) == ([2, 4, 6], [], [12, 14])
    assert isinstance(bad, Invalid)
    assert doubling.batches[0] == [1, 2, 3, 4]


async def test_closing_cancels_whoever_waits(doubling: Doubling) -> None:
    batcher = Batcher(doubling.work, size=1)
    doubling.gate.clear()
    waiting = [asyncio.create_task(batcher.submit(number)) for number in range(3)]
    await settled()
    await batcher.close()
    results = await asyncio.gather(*waiting, return_exceptions=True)
    assert [type(result) for result in results] == [asyncio.CancelledError] * 3


async def test_an_item_submitted_the_moment_a_lane_ends_is_done_too(doubling: Doubling) -> None:
    """One after the other, each in the very turn in which the one before came back."""
    batcher = Batcher(doubling.work, size=4)
    async with asyncio.timeout(5):
        for number in range(200, 400):
            assert await batcher.submit(number) == 2 * number
            first = asyncio.ensure_future(batcher.submit(1))
            first.add_done_callback(lambda _: None)
            assert list(await asyncio.gather(first, batcher.submit(2))) == [2, 4]


async def test_thousands_of_items_all_come_back(doubling: Doubling) -> None:
    batcher = Batcher(doubling.work, size=64, lanes=2)
    assert await asyncio.gather(*map(batcher.submit, range(100, 5_100))) == [2 * n for n in range(100, 5_100)]
