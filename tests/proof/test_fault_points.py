"""A process that is killed at any point of the settlement path, and the next one, do together what one would have done."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.databases import fresh_database
from tests.proof.runs import KILLED, Place, assert_as_undisturbed, effects_of

POINTS = (
    "started",
    "claimed",
    "processed",
    "chunk_committed",
    "settling",
    "settled",
    "published",
    "acknowledged",
)
SAMPLE = [("chunk_committed", 2), ("settling", 3), ("settled", 2)]
FULL = [
    (point, passing) for point in POINTS for passing in (1, 2, 4, 9) if point != "started" or passing == 1
]


@pytest.fixture
async def place(postgres_url: str, tmp_path: Path) -> AsyncIterator[Place]:
    """A database and a folder."""
    async with fresh_database(postgres_url) as database:
        yield Place(database_url=database.url, folder=tmp_path)


@pytest.mark.slow
async def test_an_undisturbed_run_has_the_effects_that_all_others_are_compared_with(place: Place) -> None:
    """The measure itself is right."""
    assert place.live() == 0, place.log
    effects = await effects_of(place)
    assert_as_undisturbed(effects, place.fan)
    assert set(effects.recorded.values()) == {1}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("point", "passing"),
    [*SAMPLE, *(pytest.param(*one, marks=pytest.mark.soak) for one in FULL if one not in SAMPLE)],
)
async def test_a_kill_at_a_fault_point_loses_nothing_and_doubles_nothing(
    point: str, passing: int, place: Place
) -> None:
    """The same messages, counters, objects and lineage as an undisturbed run has."""
    assert place.live(die_at=point, passing=passing) == KILLED, place.log
    assert place.live() == 0, place.log
    assert_as_undisturbed(await effects_of(place), place.fan)


@pytest.mark.soak
@pytest.mark.parametrize("point", POINTS[1:])
async def test_a_kill_in_each_of_two_lives_loses_nothing_and_doubles_nothing(
    point: str, place: Place
) -> None:
    """Also of one that makes good what another has left. After a third its message would count as what they die of."""
    for passing in (3, 5):
        assert place.live(die_at=point, passing=passing) in {KILLED, 0}, place.log
    assert place.live() == 0, place.log
    assert_as_undisturbed(await effects_of(place), place.fan)
