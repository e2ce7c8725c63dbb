"""One server alone works on a database, also when its connection breaks."""

from __future__ import annotations

import asyncio

import psycopg
import pytest

from adapters.postgres.database import Database
from adapters.postgres.sole_use import ADVISORY_LOCK, DatabaseInUse, SoleUse

pytestmark = pytest.mark.slow

_HOLDERS = """
    SELECT l.pid FROM pg_locks l JOIN pg_database d ON d.oid = l.database
    WHERE l.locktype = 'advisory' AND l.granted AND l.objid = %s AND d.datname = current_database()
"""


def holder(database: Database) -> int | None:
    """The backend that holds the lock."""
    with psycopg.connect(database.url) as connection:
        row = connection.execute(_HOLDERS, (ADVISORY_LOCK,)).fetchone()
    return None if row is None else row[0]


def cut(database: Database) -> int:
    """End the connection that holds the lock, as a restarted server does; returns its backend."""
    pid = holder(database)
    assert pid is not None
    with psycopg.connect(database.url, autocommit=True) as connection:
        connection.execute("SELECT pg_terminate_backend(%s)", (pid,))
    return pid


async def held_by_another(database: Database, than: int) -> None:
    """Return once a new backend holds the lock."""
    async with asyncio.timeout(10):
        while holder(database) in {None, than}:  # noqa: ASYNC110  # PostgreSQL tells it no other way
            await asyncio.sleep(0.02)


async def test_a_second_server_is_refused(database: Database) -> None:
    """Until the first has left."""
    async with SoleUse(database):
        with pytest.raises(DatabaseInUse):
            async with SoleUse(database):
                raise AssertionError("two servers on one database")
    async with SoleUse(database):
        pass


async def test_a_lock_lost_with_its_connection_is_taken_again(database: Database) -> None:
    """More than once, and a second server stays refused."""
    async with SoleUse(database) as sole_use:
        for _ in range(2):
            await held_by_another(database, than=cut(database))
        with pytest.raises(DatabaseInUse):
            async with SoleUse(database):
                raise AssertionError("two servers on one database")
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await sole_use.lost()


async def test_a_server_that_another_has_replaced_is_told(database: Database) -> None:
    """It does not take the lock back when the other leaves: it no longer knows what is in the ledger."""
    with psycopg.connect(database.url, autocommit=True) as other:
        async with SoleUse(database) as sole_use:
            waiting = asyncio.create_task(asyncio.to_thread(_take, other))
            while not _is_waiting(database):  # noqa: ASYNC110
                await asyncio.sleep(0.02)
            cut(database)
            await waiting
            async with asyncio.timeout(10):
                await sole_use.lost()
            other.execute("SELECT pg_advisory_unlock(%s)", (ADVISORY_LOCK,))
            await asyncio.sleep(0.05)
            assert holder(database) is None


async def test_a_ghost_of_our_own_does_not_keep_us_out(database: Database) -> None:
    """The server may hold the lock of a connection long after we have lost it."""
    async with SoleUse(database) as sole_use:
        ghost = holder(database)
        assert ghost is not None
        assert sole_use._connection is not None
        # Our end alone is shut, so the backend goes on until somebody ends it.
        lost, sole_use._connection = sole_use._connection, None
        with pytest.raises(Exception, match="still held"):
            await sole_use._locked()
        async with asyncio.timeout(10):
            while holder(database) == ghost:  # noqa: ASYNC110
                await asyncio.sleep(0.02)
        await lost.close()


def _take(other: psycopg.Connection[tuple[object, ...]]) -> None:
    other.execute("SELECT pg_advisory_lock(%s)", (ADVISORY_LOCK,))


def _is_waiting(database: Database) -> bool:
    with psycopg.connect(database.url) as connection:
        row = connection.execute(
            "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted AND objid = %s",
            (ADVISORY_LOCK,),
        ).fetchone()
    return bool(row and row[0])
