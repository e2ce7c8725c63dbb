"""The sole right to build and drop the indexes over embedding slots in PostgreSQL."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from psycopg import sql

from adapters.postgres.database import Connection, Database
from adapters.postgres.embedding_slots import index_name
from adapters.postgres.translation import translating
from domain.retrieval.vector_indexes import IndexBuildUnderway, IndexKind

# Any number will do as long as it is always the same one.
_BUILD_LOCK = 0x68616C66

_LOCK = "SELECT pg_try_advisory_lock(%s)"

NEXT = "_next"
"""What the name of an index ends in that is to take another's place."""


@asynccontextmanager
async def building(database: Database) -> AsyncIterator[Connection]:
    """A connection of its own that alone builds and drops; the right ends with it. Raises IndexBuildUnderway.

    Nobody waits for the right: a build waits for every statement that began before it, and so for whoever waits for it.
    """
    with translating():
        async with await database.connect("factflow indexes") as connection:
            row = await (await connection.execute(_LOCK, (_BUILD_LOCK,))).fetchone()
            if row is None or not row[0]:
                raise IndexBuildUnderway
            yield connection


async def drop_index(connection: Connection, name: str) -> None:
    """Drop an index, if there is one of that name, without holding up who searches or writes."""
    await connection.execute(sql.SQL("DROP INDEX CONCURRENTLY IF EXISTS {}").format(sql.Identifier(name)))


async def drop_indexes(connection: Connection, model_name: str) -> None:
    """Drop whatever a slot has: an index of either kind, and what is left of one that was to take its place."""
    for kind in IndexKind:
        await drop_index(connection, index_name(model_name, kind))
        await drop_index(connection, index_name(model_name, kind) + NEXT)
