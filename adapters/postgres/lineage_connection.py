"""The connection over which lineage is written."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from operator import attrgetter
from uuid import UUID

from adapters.postgres.answered_connection import AnsweredConnection
from adapters.postgres.database import CONNECT_SECONDS, Connection, Database
from adapters.postgres.lineage_copy import HEADER, TRAILER, to_copy
from adapters.postgres.lineage_rows import COLUMNS, to_json
from adapters.postgres.translation import DatabaseUnavailable, translating
from domain.errors import Unavailable
from domain.lineage import LineageEntry

logger = logging.getLogger(__name__)

WRITE_SECONDS = 30.0
AT_ONCE = 200
"""How many entries are encoded before the event loop has its turn: about half a millisecond."""

_COPY = f"COPY lineage_entry ({COLUMNS}) FROM STDIN (FORMAT BINARY)"

# An entry gives way to one of the same id that is as late in its life or later; see StageStatus.may_be_replaced_by.
_MERGE = f"""
    INSERT INTO lineage_entry AS earlier ({COLUMNS})
    SELECT {COLUMNS} FROM json_populate_recordset(NULL::lineage_entry, %s::json)
    ON CONFLICT (id) DO UPDATE
    SET status = excluded.status, started_at = excluded.started_at, completed_at = excluded.completed_at,
        stage_name = excluded.stage_name, input_hash = excluded.input_hash, output_hash = excluded.output_hash,
        metadata = excluded.metadata, error = excluded.error
    WHERE coalesce(array_position('{{pending,initiated,processing}}', earlier.status), 4)
       <= coalesce(array_position('{{pending,initiated,processing}}', excluded.status), 4)
"""  # noqa: S608 - constants


class LineageConnection:
    """Opened by the first write and again after a failure. One task at a time.

    A batch is copied, which costs both sides a third of anything else. A copy knows no conflict and takes all or
    nothing: where it is refused, because an id is there already or a value offends, the batch is merged instead.
    It commits asynchronously: a crash of the database server itself may lose what was written in its last second.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._connection: Connection | None = None

    async def write(self, entries: Sequence[LineageEntry]) -> int:
        """Write the entries; returns how many of them the database refused. Raises Unavailable.

        Where a batch is refused it is divided, so that the culprits alone are left out.
        """
        latest = _latest(entries)
        try:
            await self._copy(latest)
        except Unavailable:
            await self.close()
            raise
        except Exception:  # noqa: BLE001 (whatever it is, the merge tells it of the entry at fault)
            return await self._merge(latest)
        return 0

    async def close(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            await connection.close()

    async def _copy(self, entries: Iterable[LineageEntry]) -> None:
        # In the order of ids, so that two processes that write the same entries do not lock each other out.
        ordered = sorted(entries, key=attrgetter("id.int"))
        async with _in_time():
            connection = await self._opened()
            with translating():
                async with connection.cursor() as cursor, cursor.copy(_COPY) as copy:
                    await copy.write(HEADER)
                    for start in range(0, len(ordered), AT_ONCE):
                        await copy.write(to_copy(ordered[start : start + AT_ONCE]))
                        await asyncio.sleep(0)
                    await copy.write(TRAILER)

    async def _merge(self, entries: Sequence[LineageEntry]) -> int:
        try:
            rows = to_json(sorted(entries, key=attrgetter("id")))
            async with _in_time():
                connection = await self._opened()
                with translating():
                    await connection.execute(_MERGE, (rows,), prepare=True)
        except Unavailable:
            await self.close()
            raise
        except Exception:
            if len(entries) == 1:
                logger.exception("a lineage entry cannot be written: %s", entries[0].id)
                return 1
            middle = len(entries) // 2
            return await self._merge(entries[:middle]) + await self._merge(entries[middle:])
        return 0

    async def _opened(self) -> Connection:
        if self._connection is None or self._connection.closed:
            with translating():
                self._connection = await AnsweredConnection.connect(
                    self._database.url,
                    autocommit=True,
                    application_name="factflow lineage",
                    connect_timeout=int(CONNECT_SECONDS),
                    options="-c synchronous_commit=off",
                )
                self._connection.answer_seconds = WRITE_SECONDS
        return self._connection


def _latest(entries: Iterable[LineageEntry]) -> Sequence[LineageEntry]:
    """One entry of each id: the last recorded, unless the earlier had come further."""
    found: dict[UUID, LineageEntry] = {}
    for entry in entries:
        earlier = found.get(entry.id)
        if earlier is None or earlier.status.may_be_replaced_by(entry.status):
            found[entry.id] = entry
    return list(found.values())


@asynccontextmanager
async def _in_time() -> AsyncIterator[None]:
    try:
        async with asyncio.timeout(WRITE_SECONDS):
            yield
    except TimeoutError as error:
        raise DatabaseUnavailable(f"the database took no lineage for {WRITE_SECONDS:.0f} seconds") from error
