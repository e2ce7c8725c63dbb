"""What every ``Archives`` does."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from adapters.memory.archives import MemoryArchives
from adapters.postgres.archives import PostgresArchives
from application.ports.archives import Archives
from domain.archive import Archive, ArchiveNotFound, ArchiveStatus, ObjectSelection
from tests.databases import SERVERS, fresh_database

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
LATER = NOW + timedelta(minutes=1)


@pytest.fixture(params=["memory", *SERVERS])
async def archives(request: pytest.FixtureRequest) -> AsyncIterator[Archives]:
    """Each implementation there is."""
    if request.param == "memory":
        yield MemoryArchives()
        return
    async with fresh_database(request.getfixturevalue("postgres_url")) as database:
        yield PostgresArchives(database)


def new(number: int = 0, **fields: Any) -> Archive:
    """An archive asked for so many seconds after twelve."""
    given: dict[str, Any] = {
        "id": uuid4(),
        "selection": ObjectSelection(execution_id=uuid4()),
        "filename": "all.zip",
        "created_at": NOW + timedelta(seconds=number),
        "total": 3,
    } | fields
    return Archive(**given)


async def claimed(archives: Archives, silent_since: datetime = NOW) -> UUID | None:
    """The id of the archive that is claimed."""
    found = await archives.claim(silent_since=silent_since, now=LATER)
    return None if found is None else found.id


async def test_an_archive_is_kept_as_it_was_given(archives: Archives) -> None:
    """With its whole selection and everything that is known of its end."""
    selection = ObjectSelection(
        execution_id=uuid4(), routes=("r",), stages=("r/s", "ä"), path="r/", extensions=(".md",)
    )
    archive = new(selection=selection, includes_metadata=False, is_total_exact=False, total=2**40)
    ended = archive.ended(ArchiveStatus.FAILED, at=LATER, size=2**40, error="it broke")
    for one in (archive, replace(ended, id=uuid4())):
        await archives.add(one)
        assert await archives.get(one.id) == one
    with pytest.raises(ArchiveNotFound):
        await archives.get(uuid4())


async def test_the_oldest_that_nobody_prepares_is_claimed_first(archives: Archives) -> None:
    """Each once, with one attempt more."""
    second, first = new(2), new(1)
    for one in (second, first):
        await archives.add(one)
    found = await archives.claim(silent_since=NOW, now=LATER)
    assert found == replace(first, attempts=1, alive_at=LATER)
    assert await archives.get(first.id) == found
    assert [await claimed(archives), await claimed(archives)] == [second.id, None]


async def test_who_falls_silent_loses_its_archive(archives: Archives) -> None:
    """And what it says afterwards changes nothing."""
    await archives.add(new())
    lost = await archives.claim(silent_since=NOW, now=NOW)
    assert lost is not None
    assert await claimed(archives, NOW) is None
    taken = await archives.claim(silent_since=LATER, now=LATER)
    assert taken is not None
    assert (taken.id, taken.attempts) == (lost.id, 2)
    assert not await archives.update(replace(lost, processed=2))
    assert await archives.update(replace(taken, processed=1, bytes_packed=10))
    assert (await archives.get(lost.id)).processed == 1


async def test_what_is_given_back_is_claimed_at_once(archives: Archives) -> None:
    """However lately it was at work."""
    await archives.add(new())
    found = await archives.claim(silent_since=NOW, now=LATER)
    assert found is not None
    await archives.update(replace(found, alive_at=None))
    assert await claimed(archives) == found.id


async def test_an_archive_that_has_ended_stays_as_it_is(archives: Archives) -> None:
    """Nobody claims it, and no later word counts."""
    await archives.add(new())
    found = await archives.claim(silent_since=NOW, now=LATER)
    assert found is not None
    ended = found.ended(ArchiveStatus.CANCELLED, at=LATER)
    assert await archives.update(ended)
    assert not await archives.update(replace(found, processed=3))
    assert not await archives.update(found.ended(ArchiveStatus.READY, at=LATER, size=1))
    assert await claimed(archives, LATER + timedelta(days=1)) is None
    assert await archives.get(found.id) == ended


async def test_claimed_by_many_at_once_each_goes_to_one(archives: Archives) -> None:
    """The rest get nothing."""
    for number in range(5):
        await archives.add(new(number))
    async with asyncio.timeout(20):
        found = await asyncio.gather(*(claimed(archives) for _ in range(8)))
    ids = [one for one in found if one is not None]
    assert (len(ids), len(set(ids))) == (5, 5)


async def test_the_ended_are_listed_until_they_are_removed(archives: Archives) -> None:
    """The first to end first, before a moment."""
    early, late = (
        new().ended(ArchiveStatus.READY, at=at, size=1) for at in (NOW, NOW + timedelta(seconds=9))
    )
    for one in (late, early, new()):
        await archives.add(one)
    assert [one.id for one in await archives.ended(before=LATER)] == [early.id, late.id]
    assert [one.id for one in await archives.ended(before=LATER, limit=1)] == [early.id]
    assert [one.id for one in await archives.ended(before=NOW + timedelta(seconds=1))] == [early.id]
    assert await archives.remove(early.id)
    assert not await archives.remove(early.id)
    assert [one.id for one in await archives.ended(before=LATER)] == [late.id]
    assert not await archives.update(early)
