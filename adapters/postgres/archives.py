"""Archives in PostgreSQL."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec
from psycopg.types.json import Jsonb

from adapters.postgres.database import Database
from domain.archive import Archive, ArchiveNotFound, ArchiveStatus, ObjectSelection

_COLUMNS = """
    id, execution_id, selection, includes_metadata, filename, status, total, is_total_exact, processed, bytes_packed,
    size, error, attempts, created_at, alive_at, ended_at
"""

_ADD = f"""
    INSERT INTO archive ({_COLUMNS}) VALUES (
        %(id)s, %(execution_id)s, %(selection)s, %(includes_metadata)s, %(filename)s, %(status)s, %(total)s,
        %(is_total_exact)s, %(processed)s, %(bytes_packed)s, %(size)s, %(error)s, %(attempts)s, %(created_at)s,
        %(alive_at)s, %(ended_at)s
    )
"""  # noqa: S608 - constants

_GET = f"SELECT {_COLUMNS} FROM archive WHERE id = %s"  # noqa: S608 - constants

_CLAIM = f"""
    UPDATE archive SET attempts = attempts + 1, alive_at = %(now)s
    WHERE id = (
        SELECT id FROM archive
        WHERE status = 'preparing' AND (alive_at IS NULL OR alive_at < %(silent_since)s)
        ORDER BY created_at, id LIMIT 1 FOR UPDATE SKIP LOCKED
    )
    RETURNING {_COLUMNS}
"""  # noqa: S608 - constants

_UPDATE = """
    UPDATE archive SET
        status = %(status)s, total = %(total)s, is_total_exact = %(is_total_exact)s, processed = %(processed)s,
        bytes_packed = %(bytes_packed)s, size = %(size)s, error = %(error)s, alive_at = %(alive_at)s,
        ended_at = %(ended_at)s
    WHERE id = %(id)s AND status = 'preparing' AND attempts = %(attempts)s
"""

_REMOVE = "DELETE FROM archive WHERE id = %s"

_ENDED = f"SELECT {_COLUMNS} FROM archive WHERE ended_at < %s ORDER BY ended_at, id LIMIT %s"  # noqa: S608 - constants


class PostgresArchives:
    """The ``Archives`` port over the table ``archive``."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, archive: Archive) -> None:
        """See the port."""
        async with self._database.connection() as connection:
            await connection.execute(_ADD, _values(archive))

    async def get(self, archive_id: UUID) -> Archive:
        """See the port."""
        async with self._database.connection() as connection:
            row = await (await connection.execute(_GET, (archive_id,))).fetchone()
        if row is None:
            raise ArchiveNotFound
        return _archive(row)

    async def claim(self, *, silent_since: datetime, now: datetime) -> Archive | None:
        """See the port."""
        given = {"silent_since": silent_since, "now": now}
        async with self._database.connection() as connection:
            row = await (await connection.execute(_CLAIM, given)).fetchone()
        return None if row is None else _archive(row)

    async def update(self, archive: Archive) -> bool:
        """See the port."""
        async with self._database.connection() as connection:
            return (await connection.execute(_UPDATE, _values(archive))).rowcount > 0

    async def remove(self, archive_id: UUID) -> bool:
        """See the port."""
        async with self._database.connection() as connection:
            return (await connection.execute(_REMOVE, (archive_id,))).rowcount > 0

    async def ended(self, *, before: datetime, limit: int = 100) -> Sequence[Archive]:
        """See the port."""
        async with self._database.connection() as connection:
            rows = await (await connection.execute(_ENDED, (before, limit))).fetchall()
        return [_archive(row) for row in rows]


def _values(archive: Archive) -> dict[str, Any]:
    return {
        "id": archive.id,
        "execution_id": archive.selection.execution_id,
        "selection": Jsonb(msgspec.to_builtins(archive.selection)),
        "includes_metadata": archive.includes_metadata,
        "filename": archive.filename,
        "status": archive.status.value,
        "total": archive.total,
        "is_total_exact": archive.is_total_exact,
        "processed": archive.processed,
        "bytes_packed": archive.bytes_packed,
        "size": archive.size,
        "error": archive.error,
        "attempts": archive.attempts,
        "created_at": archive.created_at,
        "alive_at": archive.alive_at,
        "ended_at": archive.ended_at,
    }


def _archive(row: Sequence[Any]) -> Archive:
    return Archive(
        id=row[0],
        selection=msgspec.convert(row[2], ObjectSelection),
        includes_metadata=row[3],
        filename=row[4],
        status=ArchiveStatus(row[5]),
        total=row[6],
        is_total_exact=row[7],
        processed=row[8],
        bytes_packed=row[9],
        size=row[10],
        error=row[11],
        attempts=row[12],
        created_at=row[13],
        alive_at=row[14],
        ended_at=row[15],
    )
