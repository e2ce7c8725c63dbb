"""Makes sure that one server alone works on a database."""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress
from types import TracebackType
from typing import Self
from uuid import uuid4

import psycopg

from adapters.postgres.database import Connection, Database
from adapters.postgres.translation import translating
from domain.errors import Conflict, FactflowError, Unavailable

log = logging.getLogger(__name__)

# Any number will do as long as it is always the same one.
ADVISORY_LOCK = 0x736F6C65
LOOK_SECONDS = 5.0
ANSWER_SECONDS = 10.0
RETRY_SECONDS = 0.5

_LOCK_ALONE = "SELECT pg_try_advisory_lock(%s)"
_LOCK_SHARED = "SELECT pg_try_advisory_lock_shared(%s)"

# Held by a connection of ours that we have lost and the server has not: it would keep us out for hours.
_END_OUR_GHOST = """
    SELECT count(pg_terminate_backend(a.pid))
    FROM pg_stat_activity a JOIN pg_locks l ON l.pid = a.pid
    WHERE l.locktype = 'advisory' AND l.granted AND l.classid = 0 AND l.objid = %s
        AND a.datname = current_database() AND a.application_name = %s AND a.pid <> pg_backend_pid()
"""


class DatabaseInUse(Conflict):
    """Another server is using the database, and only those that share a queue can share it."""

    code = "database_in_use"


class SoleUse:
    """An advisory lock on a connection of its own, held while ``async with`` lasts; it ends with the process too.

    A connection that breaks takes its lock along. That is noticed at once, and the lock taken again as soon as the
    database can be reached, unless another server was quicker: then ``lost`` returns, and this server must stop
    working on the database. Until then nothing goes wrong, because a second server begins by taking over every claim.
    With ``is_shared`` others that share it are let in, and nobody who wants the database alone.
    """

    def __init__(self, database: Database, *, is_shared: bool = False) -> None:
        self._database = database
        self._lock = _LOCK_SHARED if is_shared else _LOCK_ALONE
        self._name = f"factflow sole use {uuid4().hex}"
        self._connection: Connection | None = None
        self._keeper: asyncio.Task[None] | None = None
        self._is_lost = asyncio.Event()

    async def __aenter__(self) -> Self:
        self._connection = await self._locked()
        self._keeper = asyncio.create_task(self._keep(), name="sole use")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._keeper is not None:
            self._keeper.cancel()
            with suppress(asyncio.CancelledError):
                await self._keeper
        if self._connection is not None:
            await self._connection.close()

    async def lost(self) -> None:
        """Return once another server has taken the database; until then wait."""
        await self._is_lost.wait()

    async def _locked(self) -> Connection:
        """A connection that holds the lock; raises DatabaseInUse when another server does."""
        connection = await self._database.connect(self._name)
        connection.answer_seconds = ANSWER_SECONDS
        try:
            with translating():
                cursor = await connection.execute(self._lock, (ADVISORY_LOCK,))
                row = await cursor.fetchone()
                if row is None or not row[0]:
                    await self._tell_who_has_it(connection)
        except BaseException:
            await connection.close()
            raise
        return connection

    async def _tell_who_has_it(self, connection: Connection) -> None:
        """Raise DatabaseInUse, or Unavailable when it was ourselves and may be had in a moment."""
        cursor = await connection.execute(_END_OUR_GHOST, (ADVISORY_LOCK, self._name))
        row = await cursor.fetchone()
        if row is not None and row[0]:
            raise Unavailable("the lock is still held by a connection that was lost")
        raise DatabaseInUse

    async def _keep(self) -> None:
        while self._connection is not None:
            await self._until_broken(self._connection)
            log.warning("the connection that keeps other servers from the database is lost")
            self._connection = await self._locked_again()

    async def _until_broken(self, connection: Connection) -> None:
        with suppress(psycopg.Error):
            while True:
                # Waiting for notices that never come, we are told at once when the connection ends.
                async for _ in connection.notifies(timeout=LOOK_SECONDS):
                    pass
                await connection.execute("SELECT 1")
        await connection.close()

    async def _locked_again(self) -> Connection | None:
        while True:
            try:
                connection = await self._locked()
            except DatabaseInUse:
                log.critical("another server has taken the database; this one stops working on it")
                self._is_lost.set()
                return None
            except FactflowError:
                await asyncio.sleep(RETRY_SECONDS)
            else:
                log.info("the database is ours alone again")
                return connection
