"""What every ``Leases`` does."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest

from adapters.memory.leases import MemoryLeases
from adapters.postgres.leases import PostgresLeases
from application.ports.leases import Lease, Leases, WorkerFacts
from tests.databases import SERVERS, fresh_database

NOW = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture(params=["memory", *SERVERS])
async def leases(request: pytest.FixtureRequest) -> AsyncIterator[Leases]:
    """Each implementation there is."""
    if request.param == "memory":
        yield MemoryLeases()
        return
    url = request.getfixturevalue("postgres_url")
    async with fresh_database(url) as database, PostgresLeases(database) as opened:
        yield opened


async def test_a_lease_lasts_until_its_moment(leases: Leases) -> None:
    """And not at that moment any more."""
    owner = uuid4()
    await leases.hold(owner, until=NOW + timedelta(seconds=15))
    assert await leases.holders(now=NOW) == [Lease(owner=owner)]
    assert await leases.holders(now=NOW + timedelta(seconds=15)) == []


async def test_a_lease_is_renewed_and_given_up(leases: Leases) -> None:
    """Giving up what one does not hold changes nothing."""
    owner = uuid4()
    await leases.hold(owner, until=NOW)
    await leases.hold(owner, until=NOW + timedelta(seconds=1))
    assert await leases.holders(now=NOW) == [Lease(owner=owner)]
    await leases.give_up(owner)
    await leases.give_up(owner)
    assert await leases.holders(now=NOW) == []


async def test_a_lease_tells_which_executions_its_owner_runs_now(leases: Leases) -> None:
    """The latest statement is the one that holds, and each owner has its own."""
    owner, other = uuid4(), uuid4()
    first, second = uuid4(), uuid4()
    until = NOW + timedelta(seconds=1)
    await leases.hold(owner, until=until, executions=[first, second])
    await leases.hold(other, until=until, executions=[first])
    await leases.hold(owner, until=until, executions={second})
    assert {lease.owner: lease.executions for lease in await leases.holders(now=NOW)} == {
        owner: {second},
        other: {first},
    }


async def test_a_lease_long_run_out_is_forgotten_and_can_be_taken_anew(leases: Leases) -> None:
    """One that ran out later is not."""
    gone, late = uuid4(), uuid4()
    await leases.hold(gone, until=NOW)
    await leases.hold(late, until=NOW + timedelta(seconds=2))
    await leases.forget(before=NOW + timedelta(seconds=1))
    assert await leases.holders(now=NOW - timedelta(seconds=1)) == [Lease(owner=late)]
    await leases.hold(gone, until=NOW + timedelta(seconds=3))
    assert {lease.owner for lease in await leases.holders(now=NOW)} == {gone, late}


async def test_a_lease_tells_what_its_owner_is(leases: Leases) -> None:
    """As it was at the latest renewal, and up to which moment the lease lasts; the eldest owner comes first."""
    eldest, youngest = sorted([uuid4(), uuid4()])
    until = NOW + timedelta(seconds=15)
    before = WorkerFacts(name="reader", host="h1", pid=7, since=NOW, in_hand=3)
    now = WorkerFacts(name="reader", host="h1", pid=7, since=NOW, in_hand=0, takes_messages=False)
    await leases.hold(youngest, until=until, worker=before)
    await leases.hold(youngest, until=until, worker=now)
    await leases.hold(eldest, until=until, worker=before)
    told = await leases.holders(now=NOW)
    assert told == [Lease(owner=eldest, worker=before), Lease(owner=youngest, worker=now)]
    assert [lease.until for lease in told] == [until, until]
