"""Changes of document versions inside a transaction: the flip to a complete one, and what goes with an old one.

The document's row is locked before anything else and, where there are several, in order; the counters of the corpus
come last, in order too. So concurrent batches wait for each other and never in a circle.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TypeAlias

from adapters.postgres.arrays import integer_array, text_array
from adapters.postgres.database import Connection

Posting: TypeAlias = tuple[str, int, int, int]
"""A lexeme, the key of a segment that holds it, how often it does, and how many words the segment has."""

# The statements that follow take longer to plan than to run, so they are planned once for a connection. That may be
# while the tables are empty and reading them whole looks cheap: only plans by index stay right as they fill.
_PLAN_ONCE = """
    SELECT set_config('plan_cache_mode', 'force_generic_plan', true), set_config('enable_seqscan', 'off', true)
"""

_LOCK = """
    SELECT document_id FROM document WHERE document_id = ANY(%s) ORDER BY document_id FOR UPDATE
"""

# For each document: every version below `below` goes, and `below` itself becomes current if it is there. Its postings
# are made of its segments' lexemes unless they are given.
_FLIP = """
    WITH flip AS (
        SELECT * FROM unnest(%(ids)s::text[], %(below)s::integer[], %(given)s::boolean[])
            AS f (document_id, below, is_given)
    ), removed AS (
        DELETE FROM segment s USING flip f
        WHERE s.document_id = f.document_id AND s.version < f.below
        RETURNING s.key, s.is_current, s.lexemes, s.language, s.length
    ), removed_embeddings AS (
        DELETE FROM segment_embedding e USING removed r WHERE e.segment_key = r.key
    ), removed_postings AS (
        DELETE FROM segment_term t
        USING (SELECT key, unnest(tsvector_to_array(lexemes)) AS lexeme FROM removed WHERE is_current) AS r
        WHERE t.lexeme = r.lexeme AND t.segment_key = r.key
    ), removed_versions AS (
        DELETE FROM document_version v USING flip f WHERE v.document_id = f.document_id AND v.version < f.below
    ), added AS (
        UPDATE segment s SET is_current = true FROM flip f
        WHERE s.document_id = f.document_id AND s.version = f.below
        RETURNING s.key, s.lexemes, s.language, s.length, f.is_given
    ), added_postings AS (
        INSERT INTO segment_term (lexeme, segment_key, frequency, length)
        SELECT word.lexeme COLLATE "C" AS lexeme, a.key, cardinality(word.positions), a.length
        FROM added a CROSS JOIN LATERAL unnest(a.lexemes) AS word WHERE NOT a.is_given
        UNION ALL
        SELECT lexeme COLLATE "C", key, frequency, length
        FROM unnest(%(lexemes)s::text[], %(keys)s::bigint[], %(frequencies)s::integer[], %(lengths)s::integer[])
            AS posting (lexeme, key, frequency, length)
        ORDER BY lexeme, key
    ), added_versions AS (
        UPDATE document_version v SET is_current = true, indexed_at = now() FROM flip f
        WHERE v.document_id = f.document_id AND v.version = f.below
    )
    INSERT INTO corpus_statistics AS c (language, segments, total_length)
    SELECT language, sum(segments), sum(length)
    FROM (
        SELECT language, 1 AS segments, length FROM added
        UNION ALL SELECT language, -1, -length FROM removed WHERE is_current
    ) AS change
    GROUP BY language HAVING sum(segments) <> 0 OR sum(length) <> 0 ORDER BY language
    ON CONFLICT (language) DO UPDATE
    SET segments = c.segments + excluded.segments, total_length = c.total_length + excluded.total_length
"""

_ABOVE_ALL = 2**31 - 1


async def lock_documents(connection: Connection, document_ids: Iterable[str]) -> None:
    """Hold the documents until the transaction ends; one that was never opened is passed over."""
    await connection.execute(_PLAN_ONCE, prepare=True)
    await connection.execute(_LOCK, (sorted(set(document_ids)),), prepare=True)


async def make_current(
    connection: Connection,
    versions: Mapping[str, int],
    postings: Mapping[str, Iterable[Posting]] | None = None,
) -> None:
    """Show these complete versions to readers, each in place of whatever there was of its document before.

    ``postings`` are those of a version's every segment, where they are at hand, by document.
    """
    if versions:
        await connection.execute(_FLIP, _flip(versions, postings or {}), prepare=True)


async def drop_document(connection: Connection, document_id: str) -> None:
    """Take every version of a locked document out, with its segments."""
    await connection.execute(_FLIP, _flip({document_id: _ABOVE_ALL}, {}))


def _flip(versions: Mapping[str, int], postings: Mapping[str, Iterable[Posting]]) -> dict[str, object]:
    given = [posting for document_id in versions for posting in postings.get(document_id, ())]
    lexemes, keys, frequencies, lengths = zip(*given, strict=True) if given else ((), (), (), ())
    return {
        "ids": list(versions),
        "below": list(versions.values()),
        "given": [document_id in postings for document_id in versions],
        "lexemes": text_array(lexemes),
        "keys": integer_array(keys),
        "frequencies": integer_array(frequencies),
        "lengths": integer_array(lengths),
    }
