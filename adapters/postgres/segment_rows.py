"""Writing and reading segments as rows."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple, TypeAlias

from psycopg.types.json import Jsonb

from adapters.postgres.database import Connection
from adapters.postgres.documents import DOCUMENT_COLUMNS, document_of
from adapters.postgres.text_search import storable
from domain.document import EmbeddedSegment, Segment
from domain.language import text_search_configuration
from domain.match import IndexedSegment
from domain.retrieval.words import matched_words

VersionKey: TypeAlias = tuple[str, int]

# How many arrays of `_STORE` are about segments.
_COLUMNS = 16


class OpenVersion(NamedTuple):
    """What the index needs to know of a document version that may take segments."""

    document_id: str
    version: int
    title: str
    language: str
    origin: str
    is_current: bool


_OPEN_VERSIONS = """
    SELECT document_id, version, title, language, origin, is_current FROM document_version
    WHERE (document_id, version) IN (SELECT * FROM unnest(%s::text[], %s::integer[]))
"""

# A version that is current is complete: what it does not hold yet does not belong to it. A segment that is there
# already may still take a vector in a further slot.
_STORE = """
    WITH new AS (
        INSERT INTO segment (id, document_id, version, ordinal, text, start_character, end_character, heading_path,
                             page, tokens, origin, language, lexemes, length, execution_id, lineage_id)
        SELECT i.id, i.document_id, i.version, i.ordinal, i.text, i.start_character, i.end_character, i.heading_path,
               i.page, i.tokens, i.origin, i.language, t.lexemes, l.length, i.execution_id, i.lineage_id
        FROM unnest(
            %s::uuid[], %s::text[], %s::integer[], %s::integer[], %s::text[], %s::integer[], %s::integer[],
            %s::jsonb[], %s::integer[], %s::integer[], %s::text[], %s::text[], %s::text[], %s::text[], %s::uuid[],
            %s::uuid[]
        ) AS i (id, document_id, version, ordinal, text, start_character, end_character, heading_path,
                page, tokens, origin, language, configuration, words, execution_id, lineage_id)
        CROSS JOIN LATERAL (SELECT to_tsvector(i.configuration::regconfig, i.words) AS lexemes OFFSET 0) AS t
        CROSS JOIN LATERAL (
            SELECT coalesce(sum(cardinality(word.positions)), 0)::integer AS length FROM unnest(t.lexemes) AS word
        ) AS l
        ON CONFLICT (id, version) DO NOTHING
        RETURNING key, id, document_id, version
    ), vector AS (
        SELECT * FROM unnest(%s::uuid[], %s::integer[], %s::text[], %s::text[]) AS v (id, version, model_name, embedding)
    ), embeddings AS (
        INSERT INTO segment_embedding (segment_key, model_name, embedding)
        SELECT s.key, v.model_name, v.embedding::halfvec
        FROM (SELECT key, id, version FROM new UNION ALL SELECT s.key, id, version FROM segment s
              WHERE (id, version) IN (SELECT id, version FROM vector)) AS s JOIN vector v USING (id, version)
        ON CONFLICT (segment_key, model_name) DO NOTHING
    )
    UPDATE document_version v SET indexed = v.indexed + n.count
    FROM (SELECT document_id, version, count(*) AS count FROM new GROUP BY document_id, version) AS n
    WHERE v.document_id = n.document_id AND v.version = n.version
    RETURNING v.document_id, v.version, v.indexed >= v.expected
"""

FETCH = f"""
    SELECT s.id, s.ordinal, s.text, s.start_character, s.end_character, s.heading_path, s.page, s.tokens,
           s.execution_id, s.lineage_id, {DOCUMENT_COLUMNS}
    FROM segment s JOIN document_version v ON v.document_id = s.document_id AND v.version = s.version
    WHERE s.id = ANY(%s) AND s.is_current
"""  # noqa: S608 - constants


async def versions_of(
    connection: Connection, segments: Iterable[EmbeddedSegment]
) -> Mapping[VersionKey, OpenVersion]:
    """The versions that these segments belong to, as far as they still are."""
    keys = sorted({(segment.document_id, segment.version) for segment in segments})
    arrays = [document_id for document_id, _ in keys], [version for _, version in keys]
    rows = await (await connection.execute(_OPEN_VERSIONS, arrays)).fetchall()
    found = (OpenVersion(*row) for row in rows)
    return {(version.document_id, version.version): version for version in found}


async def store(
    connection: Connection, segments: Sequence[EmbeddedSegment], versions: Mapping[VersionKey, OpenVersion]
) -> Mapping[str, int]:
    """Store what is not there yet of segments and vectors; returns the newest version of each document completed."""
    distinct = {(segment.id, segment.version): segment for segment in segments}
    rows = [
        _row(segment, versions[segment.document_id, segment.version])
        for segment in distinct.values()
        if not versions[segment.document_id, segment.version].is_current
    ]
    columns = [list(column) for column in zip(*rows, strict=True)] if rows else [[] for _ in range(_COLUMNS)]
    columns += [
        [segment.id for segment in segments],
        [segment.version for segment in segments],
        [segment.model_name for segment in segments],
        [vector_text(segment.vector) for segment in segments],
    ]
    changed = await (await connection.execute(_STORE, columns)).fetchall()
    return {document_id: version for document_id, version, is_complete in sorted(changed) if is_complete}


def _row(embedded: EmbeddedSegment, version: OpenVersion) -> tuple[object, ...]:
    segment = embedded.segment
    text = storable(segment.text)
    headings = [storable(heading) for heading in segment.heading_path]
    return (
        embedded.id,
        version.document_id,
        version.version,
        segment.ordinal,
        text,
        segment.start,
        segment.end,
        Jsonb(headings),
        segment.page,
        segment.tokens,
        version.origin,
        version.language,
        text_search_configuration(version.language),
        " ".join(matched_words(text, [version.title, *headings])),
        embedded.execution_id,
        embedded.lineage_id,
    )


def vector_text(vector: Sequence[float]) -> str:
    """The vector as pgvector reads it; six digits are more than half precision keeps."""
    return f"[{','.join(['%.6g'] * len(vector)) % tuple(vector)}]"


def indexed_segment_of(row: Sequence[Any]) -> IndexedSegment:
    """A segment with its document, of a row of ``FETCH``."""
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
