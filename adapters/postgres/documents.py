"""The documents in the index and their versions, in PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta

import msgspec

from adapters.postgres.database import Connection, Database
from adapters.postgres.document_rows import DOCUMENT_COLUMNS, document_of
from adapters.postgres.document_versions import drop_document, lock_documents, make_current
from adapters.postgres.segment_rows import SEGMENT_COLUMNS, indexed_segment_of
from adapters.postgres.text_search import storable
from application.batcher import Batcher
from application.ports.counting import COUNTED_EXACTLY
from domain.document import Document, DocumentNotFound
from domain.errors import Invalid
from domain.match import IndexedSegment

GROUP = 100
"""Documents of one statement at most."""

PAUSE_SECONDS = 0.02
"""How long documents gather while many are read: a statement costs about the same for one as for ten."""

_CURRENT = f"""
    SELECT {DOCUMENT_COLUMNS} FROM document_version v WHERE v.document_id = ANY(%s) AND v.is_current
"""  # noqa: S608 - constants

_IDS = "SELECT document_id FROM document_version WHERE origin = %s AND is_current ORDER BY document_id"

_LIST = f"""
    SELECT {DOCUMENT_COLUMNS} FROM document_version v
    WHERE v.is_current AND (%(origin)s::text IS NULL OR v.origin = %(origin)s)
        AND (%(after)s::text IS NULL OR v.document_id > %(after)s)
    ORDER BY v.document_id LIMIT %(limit)s OFFSET %(offset)s
"""  # noqa: S608 - constants

_COUNT = f"""
    SELECT count(*) FROM (
        SELECT 1 FROM document_version WHERE is_current AND (%(origin)s::text IS NULL OR origin = %(origin)s)
        LIMIT {COUNTED_EXACTLY + 1}
    ) AS counted
"""  # noqa: S608 - constants

_SEGMENTS = f"""
    SELECT {SEGMENT_COLUMNS} FROM segment s
    JOIN document_version v ON v.document_id = s.document_id AND v.version = s.version
    WHERE s.document_id = %s AND s.version = %s ORDER BY s.ordinal, s.id LIMIT %s OFFSET %s
"""  # noqa: S608 - constants

_ROW = """
    document_id text, version integer, origin text, title text, url text, fingerprint text, language text,
    expected integer, execution_id uuid, object_key text, metadata jsonb
"""

# The update changes nothing but takes the row's lock, whether or not the document is new. A version is there already
# if it is the newest and the same, unless another execution has completed it: this one means to make it anew.
_HOLD = f"""
    WITH given AS MATERIALIZED (
        SELECT * FROM json_to_recordset(%s::json) AS g ({_ROW})
    ), held AS (
        INSERT INTO document AS d (document_id) SELECT document_id FROM given ORDER BY document_id COLLATE "C"
        ON CONFLICT (document_id) DO UPDATE SET newest = d.newest
        RETURNING document_id, newest
    )
    SELECT held.document_id, held.newest, {DOCUMENT_COLUMNS}
    FROM given JOIN held USING (document_id)
    LEFT JOIN document_version v ON v.document_id = held.document_id AND v.version = held.newest
        AND v.fingerprint = given.fingerprint AND v.expected = given.expected
        AND (NOT v.is_current OR v.execution_id IS NOT DISTINCT FROM given.execution_id)
"""  # noqa: S608 - constants

_OPEN = f"""
    WITH given AS (
        SELECT * FROM json_to_recordset(%s::json) AS g ({_ROW})
    ), advanced AS (
        UPDATE document d SET newest = given.version, removed_at = NULL
        FROM given WHERE d.document_id = given.document_id
    )
    INSERT INTO document_version (document_id, version, origin, title, url, fingerprint, language, expected,
                                  execution_id, object_key, metadata, config_id)
    SELECT document_id, version, origin, title, url, fingerprint, language, expected, execution_id, object_key, metadata,
           (SELECT x.config_id FROM pipeline_execution x WHERE x.id = given.execution_id)
    FROM given
"""  # noqa: S608 - constants

_REMOVE = """
    UPDATE document d SET removed_at = now()
    WHERE d.document_id = %s AND EXISTS (SELECT FROM document_version v WHERE v.document_id = d.document_id)
"""

_FORGET = """
    DELETE FROM document d WHERE d.removed_at < now() - %s
    AND NOT EXISTS (SELECT FROM document_version v WHERE v.document_id = d.document_id)
"""


class PostgresDocuments:
    """Document versions; everything that changes one locks its document's row first.

    Many documents are read and opened at the same time, so calls that come together share their statements.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._found: Batcher[str, Document | None] = Batcher(self._find, size=GROUP, pause=PAUSE_SECONDS)
        self._opened: Batcher[Document, Document] = Batcher(self._open, size=GROUP, pause=PAUSE_SECONDS)

    async def current(self, document_id: str) -> Document:
        """The current version; raises DocumentNotFound."""
        found = await self._found.submit(storable(document_id))
        if found is None:
            raise DocumentNotFound(f"there is no document {document_id!r}")
        return found

    async def ids(self, origin: str) -> Sequence[str]:
        """The ids of every document of an origin, in order of their code points."""
        async with self._database.connection() as connection:
            rows = await (await connection.execute(_IDS, (storable(origin),))).fetchall()
        return [document_id for (document_id,) in rows]

    async def list(
        self, *, origin: str | None = None, limit: int, offset: int = 0, after: str | None = None
    ) -> tuple[Sequence[Document], int]:
        """See the port."""
        wanted = None if origin is None else storable(origin)
        behind = None if after is None else storable(after)
        parameters = {"origin": wanted, "limit": limit, "offset": offset, "after": behind}
        async with self._database.connection() as connection:
            rows = await (await connection.execute(_LIST, parameters)).fetchall()
            total = await (await connection.execute(_COUNT, parameters)).fetchone()
        return [document_of(row) for row in rows], total[0] if total else 0

    async def segments(
        self, document_id: str, *, limit: int, offset: int = 0
    ) -> tuple[Sequence[IndexedSegment], int]:
        """A page of the current version's segments, as they follow each other, and how many there are in all."""
        document = await self.current(document_id)
        given = (document.document_id, document.version, limit, offset)
        async with self._database.connection() as connection:
            rows = await (await connection.execute(_SEGMENTS, given)).fetchall()
        return [indexed_segment_of(row) for row in rows], document.segments

    async def begin(self, document: Document, *, expected: int) -> Document:
        """Open the version that will hold ``expected`` segments, or find it open; current at once when it expects none."""
        if not document.document_id or not 0 <= expected < 2**31:
            raise Invalid("a document version needs a document id and a number of segments from 0 up")
        return await self._opened.submit(replace(_storable_document(document), segments=expected))

    async def _find(self, document_ids: Sequence[str]) -> Sequence[Document | None]:
        async with self._database.connection() as connection:
            found = await _current(connection, document_ids)
        return [found.get(document_id) for document_id in document_ids]

    async def _open(self, documents: Sequence[Document]) -> Sequence[Document]:
        """One transaction, or several when a document is there more than once: each time is a version of its own."""
        answers: dict[int, Document] = {}
        rest = list(enumerate(documents))
        while rest:
            # The last of the reversed is the first of those with its id.
            firsts = {document.document_id: (place, document) for place, document in reversed(rest)}
            async with self._database.pipelined() as connection:
                opened = await _begin(connection, {id_: document for id_, (_, document) in firsts.items()})
            answers |= {place: opened[id_] for id_, (place, _) in firsts.items()}
            rest = [(place, document) for place, document in rest if place not in answers]
        return [answers[place] for place in range(len(documents))]

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


async def _begin(connection: Connection, documents: Mapping[str, Document]) -> Mapping[str, Document]:
    """Open the documents, given by id, or find them open."""
    rows = await (await connection.execute(_HOLD, (_json(documents.values()),), prepare=True)).fetchall()
    known = {row[0]: document_of(row[2:]) for row in rows if row[2] is not None}
    opened = {
        document_id: replace(documents[document_id], version=newest + 1, indexed_at=None)
        for document_id, newest, *_ in rows
        if document_id not in known
    }
    if opened:
        await connection.execute(_OPEN, (_json(opened.values()),), prepare=True)
    empty = {document.document_id: document.version for document in opened.values() if not document.segments}
    if empty:
        await make_current(connection, empty)
        opened |= await _current(connection, list(empty))
    return known | opened


async def _current(connection: Connection, document_ids: Sequence[str]) -> dict[str, Document]:
    rows = await (await connection.execute(_CURRENT, (list(document_ids),))).fetchall()
    return {document.document_id: document for document in map(document_of, rows)}


def _storable_document(document: Document) -> Document:
    return replace(
        document,
        document_id=storable(document.document_id),
        origin=storable(document.origin),
        title=storable(document.title),
        url=storable(document.url),
        object_key=storable(document.object_key) if document.object_key else None,
    )


def _json(documents: Iterable[Document]) -> str:
    """The documents as one parameter: that costs less than an array for each column."""
    return msgspec.json.encode(
        [
            {
                "document_id": document.document_id,
                "version": document.version,
                "origin": document.origin,
                "title": document.title,
                "url": document.url,
                "fingerprint": document.fingerprint,
                "language": document.language,
                "expected": document.segments,
                "execution_id": document.execution_id,
                "object_key": document.object_key,
                "metadata": dict(document.metadata),
            }
            for document in documents
        ]
    ).decode()
