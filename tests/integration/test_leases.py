"""The connection over which a lease is held: apart from the pool, made again when it breaks, and closed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import psycopg
import pytest

from adapters.postgres import leases as module
from adapters.postgres.database import Database
from adapters.postgres.execution_ledger import PostgresExecutionLedger
from adapters.postgres.leases import PostgresLeases
from adapters.postgres.translation import DatabaseUnavailable
from application.engine.recovery import Recovery
from tests.proof.links import linked
from tests.unit.engines import bench

pytestmark = pytest.mark.slow

POOL = 2
LEASE_SECONDS = 1.5
NOW = datetime(2026, 1, 1, tzinfo=UTC)
UNTIL = NOW + timedelta(seconds=15)
BACKENDS = "SELECT pid FROM pg_stat_activity WHERE application_name = 'factflow lease' AND datname = %s"
HELD = "SELECT owner FROM worker_lease WHERE expires_at > %s"


@asynccontextmanager
async def wholly_occupied(database: Database, seconds: float) -> AsyncIterator[None]:
    """Every connection of the pool is at a slow statement for so long, unless it is left before."""
    at_work = asyncio.Barrier(POOL + 1)

    async def occupy() -> None:
        async with database.connection() as connection:
            await at_work.wait()
            await connection.execute("SELECT pg_sleep(%s)", (seconds,))

    statements = [asyncio.create_task(occupy()) for _ in range(POOL)]
    await at_work.wait()
    try:
        yield
    finally:
        for one in statements:
            one.cancel()
        await asyncio.gather(*statements, return_exceptions=True)


def backends(database: Database) -> Sequence[int]:
    """The processes of the server that serve leases in that database."""
    with psycopg.connect(database.url, autocommit=True) as connection:
        return [pid for (pid,) in connection.execute(BACKENDS, (connection.info.dbname,))]


def held(database: Database, now: datetime) -> set[UUID]:
    """Whose leases have not run out."""
    with psycopg.connect(database.url, autocommit=True) as connection:
        return {owner for (owner,) in connection.execute(HELD, (now,))}


async def test_slow_statements_that_have_the_whole_pool_let_no_lease_run_out(database: Database) -> None:
    """Neither is the renewal kept waiting by them, nor by the look at the ledger that is."""
    async with (
        Database(database.url, max_size=POOL, connect_seconds=30) as small,
        PostgresLeases(small) as leases,
        bench({}, executions=PostgresExecutionLedger(small), lease=LEASE_SECONDS) as on,
        Recovery(engine=on.engine, leases=leases, is_alone=False),
        wholly_occupied(small, 30),
    ):
        for _ in range(20):
            await asyncio.sleep(LEASE_SECONDS / 6)
            assert held(database, datetime.now(UTC)) == {on.engine.ports.owner}


async def test_one_connection_is_opened_by_the_first_use_and_closed_at_the_end(database: Database) -> None:
    """However many hold at once, and also when one of them was cut off."""
    async with PostgresLeases(database) as leases:
        assert backends(database) == []
        owners = {uuid4() for _ in range(5)}
        await asyncio.gather(*(leases.hold(owner, until=UNTIL) for owner in owners))
        (first,) = backends(database)
        cut_off = asyncio.create_task(leases.hold(uuid4(), until=NOW))
        await asyncio.sleep(0)
        cut_off.cancel()
        await asyncio.gather(cut_off, return_exceptions=True)
        await leases.hold(uuid4(), until=NOW)
        (last,) = backends(database)
        assert held(database, NOW) == owners
    async with asyncio.timeout(5):
        while backends(database):  # noqa: ASYNC110  # the server notices when it notices
            await asyncio.sleep(0.02)
    assert first
    assert last


async def test_a_lease_is_held_again_as_soon_as_the_database_is_back(database: Database) -> None:
    """A connection that broke meanwhile costs nothing; while the database is away that is said."""
    owner, other = uuid4(), uuid4()
    async with linked(database.url) as link, Database(link.url) as far, PostgresLeases(far) as leases:
        await leases.hold(owner, until=UNTIL)
        link.cut()
        await leases.hold(owner, until=UNTIL + timedelta(seconds=5))
        assert held(database, UNTIL) == {owner}
        link.is_down = True
        link.cut()
        for _ in range(2):
            with pytest.raises(DatabaseUnavailable):
                await leases.hold(other, until=UNTIL)
        link.is_down = False
        await leases.hold(other, until=UNTIL)
        assert held(database, NOW) == {owner, other}
        await leases.give_up(owner)
        assert held(database, NOW) == {other}


async def test_a_lease_over_a_line_that_falls_silent_is_held_over_another(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is closed and no kernel notices, and yet it does not run out."""
    monkeypatch.setattr(module, "ANSWER_SECONDS", 0.3)
    owner = uuid4()
    async with linked(database.url) as link, Database(link.url) as far, PostgresLeases(far) as leases:
        await leases.hold(owner, until=NOW)
        link.fall_silent()
        link.is_silent = False
        async with asyncio.timeout(5):
            await leases.hold(owner, until=UNTIL)
        assert held(database, NOW) == {owner}


async def test_what_nobody_waits_for_any_more_the_server_ends(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Or each try would leave a session behind while somebody has locked the table."""
    monkeypatch.setattr(module, "ANSWER_SECONDS", 0.3)
    async with PostgresLeases(database) as leases:
        await leases.hold(uuid4(), until=UNTIL)
        with psycopg.connect(database.url) as other:
            other.execute("LOCK TABLE worker_lease IN EXCLUSIVE MODE")
            for _ in range(3):
                with pytest.raises(DatabaseUnavailable):
                    await leases.hold(uuid4(), until=UNTIL)
            async with asyncio.timeout(5):
                while backends(database):  # noqa: ASYNC110  # the server notices when it notices
                    await asyncio.sleep(0.02)
        await leases.hold(uuid4(), until=UNTIL)
