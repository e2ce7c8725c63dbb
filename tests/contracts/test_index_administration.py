"""What every ``IndexAdministration`` does."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from adapters.memory.corpus import Corpus
from adapters.memory.event_bus import InProcessEventBus
from adapters.memory.segment_index import MemorySegmentIndex
from adapters.postgres.segment_index import PostgresSegmentIndex
from application.ports.index_administration import IndexAdministration
from application.upkeep import Upkeep
from tests.databases import SERVERS, fresh_database


@pytest.fixture(params=["memory", *SERVERS])
async def administration(request: pytest.FixtureRequest) -> AsyncIterator[IndexAdministration]:
    """Each implementation there is, over an empty index."""
    if request.param == "memory":
        yield MemorySegmentIndex(Corpus())
        return
    async with fresh_database(request.getfixturevalue("postgres_url")) as database:
        yield PostgresSegmentIndex(database)


async def test_small_slots_need_no_index(administration: IndexAdministration) -> None:
    """They are searched exactly."""
    assert list(await administration.index_large_slots()) == []
    assert list(await administration.approximate_slots()) == []


async def test_upkeep_opens_and_closes_around_it(administration: IndexAdministration) -> None:
    """Whatever happens in between."""
    async with Upkeep(events=InProcessEventBus(), index=administration) as upkeep:
        assert upkeep.index is administration
