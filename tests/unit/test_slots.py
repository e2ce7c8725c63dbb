"""Slots that are taken and given back."""

from __future__ import annotations

import asyncio

from hypothesis import given
from hypothesis import strategies as st

from application.slots import Slots


async def turns() -> None:
    for _ in range(3):
        await asyncio.sleep(0)


async def test_as_many_are_taken_as_there_are_and_the_rest_wait_in_order() -> None:
    slots, order = Slots(2), []

    async def take(number: int) -> None:
        await slots.take()
        order.append(number)

    tasks = [asyncio.create_task(take(number)) for number in range(5)]
    await turns()
    assert (order, slots.taken, slots.waiting, slots.was_full) == ([0, 1], 2, 3, True)
    for freed in range(1, 4):
        slots.give_back()
        await turns()
        assert order == list(range(2 + freed))
    await asyncio.gather(*tasks)


async def test_nobody_overtakes_those_who_wait() -> None:
    """Also not in the moment in which a slot is free and its next owner has not run yet."""
    slots, order = Slots(1), []

    async def take(number: int) -> None:
        await slots.take()
        order.append(number)

    await slots.take()
    first = asyncio.create_task(take(1))
    await turns()
    slots.give_back()
    second = asyncio.create_task(take(2))
    await turns()
    assert order == [1]
    slots.give_back()
    await asyncio.gather(first, second)


async def test_a_limit_that_falls_takes_nothing_away_and_one_that_rises_lets_in() -> None:
    slots = Slots(3)
    for _ in range(3):
        await slots.take()
    slots.resize(1)
    waiting = asyncio.create_task(slots.take())
    slots.give_back()
    slots.give_back()
    await turns()
    assert (slots.taken, waiting.done()) == (1, False)
    slots.resize(2)
    await waiting
    assert slots.taken == 2


async def test_with_no_slots_everyone_waits_and_nothing_counts_as_full() -> None:
    slots = Slots(0)
    waiting = asyncio.create_task(slots.take())
    await turns()
    assert (waiting.done(), slots.was_full) == (False, False)
    slots.resize(1)
    await waiting


async def test_whoever_is_cancelled_in_the_moment_of_his_turn_passes_it_on() -> None:
    slots = Slots(1)
    await slots.take()
    unlucky, next_one = asyncio.create_task(slots.take()), asyncio.create_task(slots.take())
    await turns()
    slots.give_back()
    unlucky.cancel()
    await asyncio.gather(unlucky, return_exceptions=True)
    await asyncio.wait_for(next_one, 1)
    assert unlucky.cancelled()
    assert (slots.taken, slots.waiting) == (1, 0)


ACTS = st.lists(
    st.tuples(st.sampled_from(["take", "give", "cancel", "resize"]), st.integers(0, 4)), max_size=60
)


@given(ACTS)
def test_slots_are_neither_lost_nor_made(acts: list[tuple[str, int]]) -> None:
    """Whatever is taken, cancelled and resized in any order: at the end everyone who waits can be served."""
    asyncio.run(_any_order(acts))


async def _any_order(acts: list[tuple[str, int]]) -> None:
    slots = Slots(2)
    tasks: list[asyncio.Task[None]] = []
    held = 0
    for act, number in acts:
        if act == "take":
            tasks.append(asyncio.create_task(slots.take()))
        elif act == "cancel" and tasks:
            tasks[number % len(tasks)].cancel()
        elif act == "resize":
            slots.resize(number)
        elif act == "give" and held:
            held -= 1
            slots.give_back()
        if number % 2:
            await turns()
        done = [task for task in tasks if task.done()]
        held += sum(not task.cancelled() for task in done)
        tasks = [task for task in tasks if task not in done]
    await turns()
    held += sum(not task.cancelled() for task in tasks if task.done())
    tasks = [task for task in tasks if not task.done()]
    assert slots.taken == held
    assert slots.waiting == len(tasks)
    slots.resize(held + len(tasks))
    await asyncio.gather(*tasks)
    assert slots.taken == held + len(tasks)
