"""Makes sure that one server alone works on a database."""

from __future__ import annotations

from types import TracebackType
from typing import Self

from psycopg import AsyncConnection

from adapters.postgres.database import Connection, Database
from adapters.postgres.translation import translating
from domain.errors import Conflict

# Any number will do as long as it is always the same one.
ADVISORY_LOCK = 0x736F6C65


class DatabaseInUse(Conflict):
    """Another server is using the database."""

    code = "database_in_use"


class SoleUse:
    """An advisory lock on a connection of its own, held while ``async with`` lasts; it ends with the process too."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._connection: Connection | None = None

    async def __aenter__(self) -> Self:
        with translating():
            connection = await AsyncConnection.connect(self._database.url, autocommit=True)
        try:
            with translating():
                cursor = await connection.execute("SELECT pg_try_advisory_lock(%s)", (ADVISORY_LOCK,))
                row = await cursor.fetchone()
            if row is None or not row[0]:
                raise DatabaseInUse
        except BaseException:
            await connection.close()
            raise
        self._connection = connection
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._connection is not None:
            await self._connection.close()
