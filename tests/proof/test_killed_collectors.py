"""A process that is killed while it holds messages for a group, or settles one, and the next one, lose and double nothing."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from adapters.postgres.database import Database
from domain.execution import MessageCounts
from tests.databases import fresh_database
from tests.proof.runs import KILLED, Effects, Place, effects_of
from tests.proof.stores import counted, postgres_store

FAN = 40
LARGEST = 12

POINTS = ("processed", "settling", "settled", "published", "acknowledged")
SAMPLE = [("settling", 9), ("settled", 9)]
FULL = [(point, passing) for point in POINTS for passing in (2, 5, 9)]


@pytest.fixture
async def place(postgres_url: str, tmp_path: Path) -> AsyncIterator[Place]:
    """A database and a folder."""
    async with fresh_database(postgres_url) as database:
        yield Place(database_url=database.url, folder=tmp_path, fan=FAN)


def batches_of(effects: Effects) -> list[list[dict[str, str]]]:
    """The items of each batch that came to the last route."""
    return [list(row.payload["items"]) for row in effects.rows.values() if row.route_id == "store"]  # type: ignore[arg-type]


async def held(place: Place) -> int:
    """How many messages were held for a group when the process was killed."""
    async with Database(place.database_url) as database:
        rows = await postgres_store(database).rows()
    return sum(row.route_id == "gather" and row.state == "claimed" for row in rows.values())


def assert_as_undisturbed(effects: Effects, largest: int = LARGEST) -> None:
    """Each message is done once, and is an item of one batch that is done, whatever the batches are."""
    halves = Counter(f"{number}.{half}" for number in range(FAN) for half in range(2))
    rows = effects.rows.values()
    assert {row.state for row in rows} == {"done"}
    assert Counter(row.payload["path"] for row in rows if row.route_id == "gather") == halves
    batches = batches_of(effects)
    assert Counter(item["path"] for batch in batches for item in batch) == halves
    assert max(map(len, batches)) <= largest
    assert effects.execution.status == "completed"
    assert effects.execution.counts == counted(effects.rows).get(effects.execution.id, MessageCounts())
    assert set(effects.recorded) == set(halves)
    assert set(effects.lineage) == set(effects.rows)


@pytest.mark.slow
async def test_an_undisturbed_run_joins_by_dozens_and_the_rest_at_its_end(place: Place) -> None:
    assert place.live(collects=LARGEST) == 0, place.log
    effects = await effects_of(place)
    assert_as_undisturbed(effects)
    sizes = sorted(map(len, batches_of(effects)))
    assert sizes == [2 * FAN % LARGEST, *[LARGEST] * (2 * FAN // LARGEST)]


@pytest.mark.slow
async def test_what_a_killed_process_held_is_collected_again(place: Place) -> None:
    """A sum over a whole run is one group, as if nothing had happened."""
    most = 10 * FAN
    assert place.live(collects=most, die_at="processed", passing=30, pace=0.02) == KILLED, place.log
    assert await held(place) > 0
    assert place.live(collects=most) == 0, place.log
    effects = await effects_of(place)
    assert_as_undisturbed(effects, most)
    assert [len(batch) for batch in batches_of(effects)] == [2 * FAN]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("point", "passing"),
    [*SAMPLE, *(pytest.param(*one, marks=pytest.mark.soak) for one in FULL if one not in SAMPLE)],
)
async def test_a_kill_loses_nothing_and_doubles_nothing(point: str, passing: int, place: Place) -> None:
    """On the way of any message and of a group: what was held comes again, and forms other groups."""
    assert place.live(collects=LARGEST, die_at=point, passing=passing) == KILLED, place.log
    assert place.live(collects=LARGEST) == 0, place.log
    assert_as_undisturbed(await effects_of(place))
