"""The documents in the index and their versions, in PostgreSQL."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

from psycopg.types.json import Jsonb

from adapters.postgres.database import Connection, Database
from adapters.postgres.document_versions import drop_document, lock_documents, make_current
from adapters.postgres.text_search import storable
from domain.document import Document, DocumentNotFound
from domain.errors import Invalid

DOCUMENT_COLUMNS = """
    v.document_id, v.origin, v.title, v.url, v.fingerprint, v.version, v.language, v.expected,
    v.indexed_at, v.execution_id, v.object_key, v.metadata
"""

_CURRENT = f"SELECT {DOCUMENT_COLUMNS} FROM document_version v WHERE v.document_id = %s AND v.is_current"  # noqa: S608 - constants

_IDS = "SELECT document_id FROM document_version WHERE origin = %s AND is_current ORDER BY document_id"

_LIST = f"""
    SELECT {DOCUMENT_COLUMNS} FROM document_version v
    WHERE v.is_current AND (%(origin)s::text IS NULL OR v.origin = %(origin)s)
    ORDER BY v.document_id LIMIT %(limit)s OFFSET %(offset)s
"""  # noqa: S608 - constants

_COUNT = """
    SELECT count(*) FROM document_version WHERE is_current AND (%(origin)s::text IS NULL OR origin = %(origin)s)
"""

# The update changes nothing but takes the row's lock, whether or not the document is new.
_HOLD = """
    INSERT INTO document AS d (document_id) VALUES (%s)
    ON CONFLICT (document_id) DO UPDATE SET newest = d.newest RETURNING newest
"""

_REOPENED = f"""
    SELECT {DOCUMENT_COLUMNS} FROM document_version v
    WHERE v.document_id = %s AND v.version = %s AND v.fingerprint = %s AND v.expected = %s
"""  # noqa: S608 - constants

_ADVANCE = "UPDATE document SET newest = %s, removed_at = NULL WHERE document_id = %s"

_OPEN = """
    INSERT INTO document_version (document_id, version, origin, title, url, fingerprint, language, expected,
                                  execution_id, object_key, metadata)
    VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)
"""

_REMOVE = """
    UPDATE document d SET removed_at = now()
    WHERE d.document_id = %s AND EXISTS (SELECT FROM document_version v WHERE v.document_id = d.document_id)
"""

_FORGET = """
    DELETE FROM document d WHERE d.removed_at < now() - %s
    AND NOT EXISTS (SELECT FROM document_version v WHERE v.document_id = d.document_id)
"""


class PostgresDocuments:
    """Document versions; everything that changes one locks its document's row first."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def current(self, document_id: str) -> Document:
        """The current version; raises DocumentNotFound."""
        async with self._database.connection() as connection:
            row = await (await connection.execute(_CURRENT, (storable(document_id),))).fetchone()
        if row is None:
            raise DocumentNotFound(f"there is no document {document_id!r}")
        return document_of(row)

    async def ids(self, origin: str) -> Sequence[str]:
        """The ids of every document of an origin, in order of their code points."""
        async with self._database.connection() as connection:
            rows = await (await connection.execute(_IDS, (storable(origin),))).fetchall()
        return [document_id for (document_id,) in rows]

    async def list(
        self, *, origin: str | None = None, limit: int, offset: int = 0
    ) -> tuple[Sequence[Document], int]:
        """A page of the current versions, by document id, and how many there are in all."""
        wanted = None if origin is None else storable(origin)
        parameters = {"origin": wanted, "limit": limit, "offset": offset}
        async with self._database.connection() as connection:
            rows = await (await connection.execute(_LIST, parameters)).fetchall()
            total = await (await connection.execute(_COUNT, parameters)).fetchone()
        return [document_of(row) for row in rows], total[0] if total else 0

    async def begin(self, document: Document, *, expected: int) -> Document:
        """Open the version that will hold ``expected`` segments, or find it open; current at once when it expects none."""
        if not document.document_id or not 0 <= expected < 2**31:
            raise Invalid("a document version needs a document id and a number of segments from 0 up")
        cleaned = _storable_document(document)
        async with self._database.transaction() as connection:
            return await _begin(connection, replace(cleaned, segments=expected))

    async def remove(self, document_id: str) -> bool:
        """Take the document and all its segments out of the index; whether there was one."""
        cleaned = storable(document_id)
        async with self._database.transaction() as connection:
            await lock_documents(connection, [cleaned])
            removed = (await connection.execute(_REMOVE, (cleaned,))).rowcount > 0
            if removed:
                await drop_document(connection, cleaned)
        return removed

    async def forget_removed(self, *, older_than: timedelta) -> int:
        """Drop the last trace of documents removed that long ago: their version numbers begin again; how many."""
        async with self._database.connection() as connection:
            return (await connection.execute(_FORGET, (older_than,))).rowcount


async def _begin(connection: Connection, document: Document) -> Document:
    held = await (await connection.execute(_HOLD, (document.document_id,))).fetchone()
    newest = held[0] if held else 0
    same = (document.document_id, newest, document.fingerprint, document.segments)
    if row := await (await connection.execute(_REOPENED, same)).fetchone():
        return document_of(row)
    opened = replace(document, version=newest + 1, indexed_at=None)
    await connection.execute(_ADVANCE, (opened.version, opened.document_id))
    await connection.execute(_OPEN, _row(opened))
    if opened.segments == 0:
        await make_current(connection, {opened.document_id: opened.version})
        current = await (await connection.execute(_CURRENT, (opened.document_id,))).fetchone()
        return document_of(current) if current else opened
    return opened


def _storable_document(document: Document) -> Document:
    return replace(
        document,
        document_id=storable(document.document_id),
        origin=storable(document.origin),
        title=storable(document.title),
        url=storable(document.url),
        object_key=storable(document.object_key) if document.object_key else None,
    )


def _row(document: Document) -> tuple[object, ...]:
    return (
        document.document_id,
        document.version,
        document.origin,
        document.title,
        document.url,
        document.fingerprint,
        document.language,
        document.segments,
        document.execution_id,
        document.object_key,
        Jsonb(dict(document.metadata)),
    )


def document_of(row: Sequence[Any]) -> Document:
    """A document of a row of ``DOCUMENT_COLUMNS``."""
    return Document(
        document_id=row[0],
        origin=row[1],
        title=row[2],
        url=row[3],
        fingerprint=row[4],
        version=row[5],
        language=row[6],
        segments=row[7],
        indexed_at=row[8],
        execution_id=row[9],
        object_key=row[10],
        metadata=row[11],
    )
