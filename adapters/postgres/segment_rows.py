"""Writing and reading segments as rows."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import repeat
from operator import attrgetter
from typing import Any, NamedTuple, TypeAlias
from uuid import UUID

import msgspec

from adapters.postgres.arrays import Reals
from adapters.postgres.database import Connection
from adapters.postgres.document_rows import DOCUMENT_COLUMNS, document_of
from adapters.postgres.document_versions import Posting
from adapters.postgres.lexemes import Lexed, Lexemes
from adapters.postgres.text_search import storable
from domain.document import EmbeddedSegment, Segment
from domain.language import text_search_configuration
from domain.match import IndexedSegment
from domain.retrieval.words import matched_words

VersionKey: TypeAlias = tuple[str, int]


class OpenVersion(NamedTuple):
    """What the index needs to know of a document version that may take segments."""

    document_id: str
    version: int
    title: str
    language: str
    origin: str
    is_current: bool


class Completed(NamedTuple):
    """The newest version of each document that is complete; and the postings of those stored as a whole just now."""

    versions: Mapping[str, int]
    postings: Mapping[str, Sequence[Posting]]


class _New(NamedTuple):
    id: UUID
    key: int
    document_id: str
    version: int
    is_complete: bool
    is_whole: bool


_OPEN_VERSIONS = """
    SELECT document_id, version, title, language, origin, is_current FROM document_version
    WHERE (document_id, version) IN (SELECT * FROM unnest(%s::text[], %s::integer[]))
"""

# A version that is current is complete: what it does not hold yet does not belong to it. A segment that is there
# already may still take a vector in a further slot. One row for each segment that is new.
_STORE = """
    WITH given AS MATERIALIZED (
        SELECT * FROM json_to_recordset(%(segments)s::json) AS g (
            id uuid, document_id text, version integer, ordinal integer, text text, start_character integer,
            end_character integer, heading_path jsonb, page integer, tokens integer, origin text, language text,
            lexemes tsvector, length integer, execution_id uuid, lineage_id uuid)
    ), new AS (
        INSERT INTO segment (id, document_id, version, ordinal, text, start_character, end_character, heading_path,
                             page, tokens, origin, language, lexemes, length, execution_id, lineage_id)
        SELECT id, document_id, version, ordinal, text, start_character, end_character, heading_path,
               page, tokens, origin, language, lexemes, length, execution_id, lineage_id
        FROM given
        ON CONFLICT (id, version) DO NOTHING
        RETURNING key, id, document_id, version
    ), vector AS (
        SELECT id, version, model_name, (%(vectors)s::real[])[first:last]::halfvec AS embedding
        FROM json_to_recordset(%(slots)s::json)
            AS v (id uuid, version integer, model_name text, first integer, last integer)
    ), embeddings AS (
        INSERT INTO segment_embedding (segment_key, model_name, embedding)
        SELECT s.key, v.model_name, v.embedding
        FROM (SELECT key, id, version FROM new UNION ALL SELECT s.key, id, version FROM segment s
              WHERE (id, version) IN (SELECT id, version FROM vector)) AS s JOIN vector v USING (id, version)
        ON CONFLICT (segment_key, model_name) DO NOTHING
    ), changed AS (
        UPDATE document_version v SET indexed = v.indexed + n.count
        FROM (SELECT document_id, version, count(*) AS count FROM new GROUP BY document_id, version) AS n
        WHERE v.document_id = n.document_id AND v.version = n.version
        RETURNING v.document_id, v.version, v.indexed >= v.expected AS is_complete, n.count >= v.expected AS is_whole
    )
    SELECT n.id, n.key, c.document_id, c.version, c.is_complete, c.is_whole
    FROM new n JOIN changed c USING (document_id, version)
"""

SEGMENT_COLUMNS = f"""
    s.id, s.ordinal, s.text, s.start_character, s.end_character, s.heading_path, s.page, s.tokens,
    s.execution_id, s.lineage_id, {DOCUMENT_COLUMNS}
"""

FETCH = f"""
    SELECT {SEGMENT_COLUMNS}
    FROM segment s JOIN document_version v ON v.document_id = s.document_id AND v.version = s.version
    WHERE s.id = ANY(%s) AND s.is_current
"""  # noqa: S608 - constants


async def versions_of(
    connection: Connection, segments: Iterable[EmbeddedSegment]
) -> Mapping[VersionKey, OpenVersion]:
    """The versions that these segments belong to, as far as they still are."""
    keys = sorted({(segment.document_id, segment.version) for segment in segments})
    arrays = [document_id for document_id, _ in keys], [version for _, version in keys]
    rows = await (await connection.execute(_OPEN_VERSIONS, arrays, prepare=True)).fetchall()
    found = (OpenVersion(*row) for row in rows)
    return {(version.document_id, version.version): version for version in found}


async def store(
    connection: Connection,
    segments: Sequence[EmbeddedSegment],
    versions: Mapping[VersionKey, OpenVersion],
    lexemes: Lexemes,
) -> Completed:
    """Store what is not there yet of segments and vectors; returns what is complete with them."""
    distinct = {(segment.id, segment.version): segment for segment in segments}
    fitting = [
        (segment, version)
        for segment in distinct.values()
        if not (version := versions[segment.document_id, segment.version]).is_current
    ]
    lexed = await lexemes.of(connection, [_words(segment, version) for segment, version in fitting])
    parameters = {
        "segments": _json(_row(*pair, words) for pair, words in zip(fitting, lexed, strict=True)),
        "vectors": Reals.of(segment.vector for segment in segments),
        "slots": _json(_slots(segments)),
    }
    rows = await (await connection.execute(_STORE, parameters, prepare=True)).fetchall()
    keys = ((segment.id, segment.version) for segment, _ in fitting)
    return _completed([_New(*row) for row in rows], dict(zip(keys, lexed, strict=True)))


def _completed(new: Iterable[_New], lexed: Mapping[tuple[UUID, int], Lexed]) -> Completed:
    newest: dict[str, int] = {}
    postings: dict[str, list[Posting]] = {}
    for row in sorted(new, key=attrgetter("version")):
        if not row.is_complete:
            continue
        if newest.get(row.document_id) != row.version:
            newest[row.document_id] = row.version
            postings.pop(row.document_id, None)
        if row.is_whole:
            words = lexed[row.id, row.version]
            found = zip(words.frequencies, repeat(row.key), words.frequencies.values(), repeat(words.length))
            postings.setdefault(row.document_id, []).extend(found)
    return Completed(newest, postings)


def _words(embedded: EmbeddedSegment, version: OpenVersion) -> tuple[str, Sequence[str]]:
    segment = embedded.segment
    headings = [storable(heading) for heading in segment.heading_path]
    words = matched_words(storable(segment.text), [version.title, *headings])
    return text_search_configuration(version.language), words


def _row(embedded: EmbeddedSegment, version: OpenVersion, words: Lexed) -> dict[str, object]:
    segment = embedded.segment
    return {
        "id": embedded.id,
        "document_id": version.document_id,
        "version": version.version,
        "ordinal": segment.ordinal,
        "text": storable(segment.text),
        "start_character": segment.start,
        "end_character": segment.end,
        "heading_path": [storable(heading) for heading in segment.heading_path],
        "page": segment.page,
        "tokens": segment.tokens,
        "origin": version.origin,
        "language": version.language,
        "lexemes": words.tsvector,
        "length": words.length,
        "execution_id": embedded.execution_id,
        "lineage_id": embedded.lineage_id,
    }


def _slots(segments: Iterable[EmbeddedSegment]) -> Iterator[dict[str, object]]:
    """Where among the numbers of all vectors each segment's own are, counted from 1."""
    last = 0
    for segment in segments:
        first, last = last + 1, last + len(segment.vector)
        yield {
            "id": segment.id,
            "version": segment.version,
            "model_name": segment.model_name,
            "first": first,
            "last": last,
        }


def _json(rows: Iterable[Mapping[str, object]]) -> str:
    return msgspec.json.encode(list(rows)).decode()


def vector_text(vector: Sequence[float]) -> str:
    """The vector as pgvector reads it; six digits are more than half precision keeps."""
    return f"[{','.join(['%.6g'] * len(vector)) % tuple(vector)}]"


def indexed_segment_of(row: Sequence[Any]) -> IndexedSegment:
    """A segment with its document, of a row of ``SEGMENT_COLUMNS``."""
    segment = Segment(
        ordinal=row[1],
        text=row[2],
        start=row[3],
        end=row[4],
        heading_path=tuple(row[5]),
        page=row[6],
        tokens=row[7],
    )
    return IndexedSegment(
        id=row[0], segment=segment, document=document_of(row[10:]), execution_id=row[8], lineage_id=row[9]
    )
