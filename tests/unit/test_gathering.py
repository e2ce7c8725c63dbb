"""Calls that come together are answered together."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from adapters.postgres.gathering import Gathering
from domain.errors import Invalid, Unavailable


class Doubling:
    """Doubles numbers, refuses negative ones, and notes its groups; it is away while told so."""

    def __init__(self) -> None:
        self.groups: list[Sequence[int]] = []
        self.is_away = False
        self.gate = asyncio.Event()
        self.gate.set()

    async def __call__(self, numbers: Sequence[int]) -> Sequence[int]:
        self.groups.append(numbers)
        await self.gate.wait()
        if self.is_away:
            raise Unavailable
        if min(numbers) < 0:
            raise Invalid(str(min(numbers)))
        return [2 * number for number in numbers]


async def test_a_lone_call_is_answered_at_once() -> None:
    """There is nothing to wait for."""
    doubling = Doubling()
    assert await Gathering(doubling, largest=10).ask(3) == 6
    assert doubling.groups == [[3]]


async def test_calls_of_the_same_time_share_groups() -> None:
    """Each gets its own answer, in groups that are not too large."""
    doubling = Doubling()
    gathering = Gathering(doubling, largest=4)
    answers = await asyncio.gather(*(gathering.ask(number) for number in range(10)))
    assert answers == [2 * number for number in range(10)]
    assert [len(group) for group in doubling.groups] == [4, 4, 2]


async def test_a_bad_item_spoils_no_other() -> None:
    """The group is tried one by one."""
    gathering = Gathering(Doubling(), largest=10)
    answers = await asyncio.gather(*(gathering.ask(number) for number in (1, -2, 3)), return_exceptions=True)
    assert answers[0] == 2
    assert isinstance(answers[1], Invalid)
    assert answers[2] == 6


async def test_an_outage_is_everyones_and_not_tried_item_by_item() -> None:
    """And the next call is asked anew."""
    doubling = Doubling()
    doubling.is_away = True
    gathering = Gathering(doubling, largest=10)
    answers = await asyncio.gather(*(gathering.ask(number) for number in (1, 2)), return_exceptions=True)
    assert all(isinstance(answer, Unavailable) for answer in answers)
    assert doubling.groups == [[1, 2]]
    doubling.is_away = False
    assert await gathering.ask(5) == 10


async def test_who_gave_up_is_left_out() -> None:
    """Its neighbours do not notice."""
    doubling = Doubling()
    doubling.gate.clear()
    gathering = Gathering(doubling, largest=10)
    first = asyncio.create_task(gathering.ask(1))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    impatient, patient = asyncio.create_task(gathering.ask(2)), asyncio.create_task(gathering.ask(3))
    await asyncio.sleep(0)
    impatient.cancel()
    with pytest.raises(asyncio.CancelledError):
        await impatient
    doubling.gate.set()
    assert (await first, await patient) == (2, 6)
    assert doubling.groups == [[1], [3]]
