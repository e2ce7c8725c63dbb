"""Changes of document versions inside a transaction: the flip to a complete one, and what goes with an old one.

The document's row is locked before anything else and, where there are several, in order; the counters of the corpus
come last, in order too. So concurrent batches wait for each other and never in a circle.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from adapters.postgres.database import Connection

_LOCK = """
    SELECT document_id FROM document WHERE document_id = ANY(%s) ORDER BY document_id FOR UPDATE
"""

_DROP = """
    WITH doomed AS (
        SELECT * FROM unnest(%(documents)s::text[], %(versions)s::integer[]) AS d (document_id, below)
    ), segments AS (
        DELETE FROM segment s USING doomed d
        WHERE s.document_id = d.document_id AND s.version < d.below
        RETURNING s.key, s.is_current, s.lexemes, s.language, s.length
    ), embeddings AS (
        DELETE FROM segment_embedding e USING segments s WHERE e.segment_key = s.key
    ), postings AS (
        DELETE FROM segment_term t
        USING (SELECT key, unnest(tsvector_to_array(lexemes)) AS lexeme FROM segments WHERE is_current) AS s
        WHERE t.lexeme = s.lexeme AND t.segment_key = s.key
    ), versions AS (
        DELETE FROM document_version v USING doomed d
        WHERE v.document_id = d.document_id AND v.version < d.below
    )
    SELECT language, count(*), coalesce(sum(length), 0)::bigint FROM segments WHERE is_current GROUP BY language
"""

_FLIP = """
    WITH complete AS (
        SELECT * FROM unnest(%(documents)s::text[], %(versions)s::integer[]) AS c (document_id, version)
    ), segments AS (
        UPDATE segment s SET is_current = true FROM complete c
        WHERE s.document_id = c.document_id AND s.version = c.version
        RETURNING s.key, s.lexemes, s.language, s.length
    ), postings AS (
        INSERT INTO segment_term (lexeme, segment_key, frequency, length)
        SELECT word.lexeme, s.key, cardinality(word.positions), s.length
        FROM segments s CROSS JOIN LATERAL unnest(s.lexemes) AS word
        ORDER BY word.lexeme COLLATE "C", s.key
    ), versions AS (
        UPDATE document_version v SET is_current = true, indexed_at = now() FROM complete c
        WHERE v.document_id = c.document_id AND v.version = c.version
    )
    SELECT language, count(*), coalesce(sum(length), 0)::bigint FROM segments GROUP BY language
"""

_COUNT = """
    INSERT INTO corpus_statistics AS c (language, segments, total_length)
    SELECT * FROM unnest(%s::text[], %s::bigint[], %s::bigint[]) AS change (language, segments, total_length)
    ORDER BY language
    ON CONFLICT (language) DO UPDATE
    SET segments = c.segments + excluded.segments, total_length = c.total_length + excluded.total_length
"""

EVERY_VERSION = 2**31 - 1


async def lock_documents(connection: Connection, document_ids: Iterable[str]) -> None:
    """Hold the documents until the transaction ends; one that was never opened is passed over."""
    await connection.execute(_LOCK, (sorted(set(document_ids)),))


async def make_current(connection: Connection, versions: Mapping[str, int]) -> None:
    """Show these complete versions to readers, each in place of whatever there was of its document before."""
    if not versions:
        return
    parameters = {"documents": list(versions), "versions": list(versions.values())}
    removed = await (await connection.execute(_DROP, parameters)).fetchall()
    added = await (await connection.execute(_FLIP, parameters)).fetchall()
    await _count(connection, added=added, removed=removed)


async def drop_document(connection: Connection, document_id: str) -> None:
    """Take every version of a locked document out, with its segments."""
    parameters = {"documents": [document_id], "versions": [EVERY_VERSION]}
    removed = await (await connection.execute(_DROP, parameters)).fetchall()
    await _count(connection, added=(), removed=removed)


async def _count(
    connection: Connection, *, added: Sequence[tuple[str, int, int]], removed: Sequence[tuple[str, int, int]]
) -> None:
    segments: Counter[str] = Counter()
    lengths: Counter[str] = Counter()
    for sign, rows in ((1, added), (-1, removed)):
        for language, count, length in rows:
            segments[language] += sign * count
            lengths[language] += sign * length
    changed = sorted(language for language in segments if segments[language] or lengths[language])
    if changed:
        totals = [lengths[language] for language in changed]
        await connection.execute(_COUNT, (changed, [segments[language] for language in changed], totals))
