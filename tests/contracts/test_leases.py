"""What every ``Leases`` does."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest

from adapters.memory.leases import MemoryLeases
from adapters.postgres.leases import PostgresLeases
from application.ports.leases import Leases
from tests.databases import fresh_database

NOW = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture(params=["memory", pytest.param("postgres", marks=pytest.mark.slow)])
async def leases(request: pytest.FixtureRequest) -> AsyncIterator[Leases]:
    """Each implementation there is."""
    if request.param == "memory":
        yield MemoryLeases()
        return
    async with fresh_database(request.getfixturevalue("postgres_url")) as database:
        yield PostgresLeases(database)


async def test_a_lease_lasts_until_its_moment(leases: Leases) -> None:
    """And not at that moment any more."""
    owner = uuid4()
    await leases.hold(owner, until=NOW + timedelta(seconds=15))
    assert await leases.holders(now=NOW) == [owner]
    assert await leases.holders(now=NOW + timedelta(seconds=15)) == []


async def test_a_lease_is_renewed_and_given_up(leases: Leases) -> None:
    """Giving up what one does not hold changes nothing."""
    owner = uuid4()
    await leases.hold(owner, until=NOW)
    await leases.hold(owner, until=NOW + timedelta(seconds=1))
    assert await leases.holders(now=NOW) == [owner]
    await leases.give_up(owner)
    await leases.give_up(owner)
    assert await leases.holders(now=NOW) == []
