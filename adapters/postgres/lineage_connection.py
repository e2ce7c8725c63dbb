"""The connection over which lineage is written."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from operator import attrgetter

import psycopg

from adapters.postgres.database import CONNECT_SECONDS, Connection, Database
from adapters.postgres.lineage_rows import COLUMNS, to_json
from adapters.postgres.translation import DatabaseUnavailable, translating
from domain.errors import Unavailable
from domain.lineage import LineageEntry

logger = logging.getLogger(__name__)

WRITE_SECONDS = 30.0

# One parameter of JSON costs this process a sixth of what seventeen arrays do, and is written twice as fast.
# An entry gives way to one of the same id that is as late in its life or later; see StageStatus.may_be_replaced_by.
_WRITE = f"""
    INSERT INTO lineage_entry AS earlier ({COLUMNS})
    SELECT {COLUMNS} FROM json_populate_recordset(NULL::lineage_entry, %s::json)
    ON CONFLICT (id) DO UPDATE
    SET status = excluded.status, output_hash = excluded.output_hash, completed_at = excluded.completed_at,
        stage_name = excluded.stage_name, metadata = excluded.metadata, error = excluded.error
    WHERE coalesce(array_position('{{pending,initiated,processing}}', earlier.status), 4)
       <= coalesce(array_position('{{pending,initiated,processing}}', excluded.status), 4)
"""  # noqa: S608 - constants


class LineageConnection:
    """Opened by the first write and again after a failure. One task at a time.

    It commits asynchronously: a crash of the database server itself may lose what was written in its last second.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._connection: Connection | None = None

    async def write(self, entries: Sequence[LineageEntry]) -> int:
        """Write the entries; returns how many of them the database refused. Raises Unavailable.

        Where a batch is refused it is divided, so that the culprits alone are left out.
        """
        try:
            await self._write_all(entries)
        except Unavailable:
            await self.close()
            raise
        except Exception:
            if len(entries) == 1:
                logger.exception("a lineage entry cannot be written: %s", entries[0].id)
                return 1
            middle = len(entries) // 2
            return await self.write(entries[:middle]) + await self.write(entries[middle:])
        return 0

    async def close(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            await connection.close()

    async def _write_all(self, entries: Sequence[LineageEntry]) -> None:
        # In the order of ids, so that two processes that write the same entries do not lock each other out.
        rows = to_json(sorted(entries, key=attrgetter("id")))
        try:
            async with asyncio.timeout(WRITE_SECONDS):
                connection = await self._opened()
                with translating():
                    await connection.execute(_WRITE, (rows,), prepare=True)
        except TimeoutError as error:
            raise DatabaseUnavailable(
                f"the database took no lineage for {WRITE_SECONDS:.0f} seconds"
            ) from error

    async def _opened(self) -> Connection:
        if self._connection is None or self._connection.closed:
            with translating():
                self._connection = await psycopg.AsyncConnection.connect(
                    self._database.url,
                    autocommit=True,
                    application_name="factflow lineage",
                    connect_timeout=int(CONNECT_SECONDS),
                    options="-c synchronous_commit=off",
                )
        return self._connection
