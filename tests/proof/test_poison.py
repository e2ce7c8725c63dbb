"""A message that kills whatever process takes it up ends dead, and nobody else does."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from adapters.postgres.database import Database
from adapters.postgres.dead_letters import PostgresDeadLetters
from domain.dead_letter import DeadLetterFilter
from tests.databases import fresh_database
from tests.proof.runs import KILLED, Place, assert_as_undisturbed, effects_of

LIVES = 8


@pytest.fixture
async def place(postgres_url: str, tmp_path: Path) -> AsyncIterator[Place]:
    """A database and a folder."""
    async with fresh_database(postgres_url) as database:
        yield Place(database_url=database.url, folder=tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("fan", "pace"), [(12, 0.05), pytest.param(400, 0.01, marks=pytest.mark.soak)], ids=["few", "many"]
)
async def test_a_message_that_kills_its_process_ends_dead_and_its_neighbours_done(
    fan: int, pace: float, place: Place
) -> None:
    """With its reason, and after a few lives of a process that somebody starts again each time."""
    place = Place(database_url=place.database_url, folder=place.folder, fan=fan)
    poison = str(fan // 2)
    lives = [place.live(poison=poison, pace=pace)]
    while lives[-1] == KILLED and len(lives) < LIVES:
        lives.append(place.live(poison=poison, pace=pace))
    assert lives[-1] == 0, f"{lives}: {place.log}"
    assert 2 < len(lives) <= LIVES
    effects = await effects_of(place)
    assert_as_undisturbed(effects, fan, poison=poison)
    async with Database(place.database_url) as database:
        page = await PostgresDeadLetters(database).list(DeadLetterFilter(), limit=10)
    assert [(one.message.payload, one.error["code"]) for one in page.letters] == [
        ({"path": poison}, "worker_died")
    ]
