"""The two searches over segments as SQL: nearest vectors, and BM25 over postings.

``restrictions`` are those of a filter, as conditions beginning with AND, or empty.
"""

from __future__ import annotations

from functools import lru_cache

from psycopg import sql

from domain.retrieval.bm25 import Bm25

SHAPES = 256
"""Statements of each kind that are remembered, by what they are restricted by."""

_EXACT = """
    SELECT s.id, 1 - coalesce(nullif(e.embedding <=> %(vector)s::halfvec, 'NaN'), 1) AS similarity
    FROM segment_embedding e JOIN segment s ON s.key = e.segment_key
    WHERE e.model_name = %(model_name)s AND s.is_current {restrictions}
    ORDER BY similarity DESC, s.id LIMIT %(limit)s
"""

# The expression and the predicate must be those of the slot's index, hence the literals.
_APPROXIMATE = """
    WITH nearest AS MATERIALIZED (
        SELECT s.id, e.embedding::halfvec({dimension}) <=> %(vector)s::halfvec({dimension}) AS distance
        FROM segment_embedding e JOIN segment s ON s.key = e.segment_key
        WHERE e.model_name = {model_name} AND s.is_current {restrictions}
        ORDER BY distance LIMIT %(limit)s
    )
    SELECT id, 1 - coalesce(nullif(distance, 'NaN'), 1) AS similarity FROM nearest ORDER BY similarity DESC, id
"""

_SCORED = """
    WITH term AS (
        SELECT DISTINCT word.lexeme COLLATE "C" AS lexeme
        FROM unnest(%(configurations)s::text[]) AS c (configuration)
        CROSS JOIN LATERAL unnest(to_tsvector(c.configuration::regconfig, %(words)s)) AS word
    ), corpus AS (
        SELECT sum(segments)::float8 AS segments, sum(total_length)::float8 / nullif(sum(segments), 0) AS mean_length
        FROM corpus_statistics
    ), weight AS MATERIALIZED (
        SELECT term.lexeme, corpus.mean_length,
               ln(1 + (corpus.segments - holding.count + 0.5::float8) / (holding.count + 0.5::float8)) AS idf
        FROM term CROSS JOIN corpus CROSS JOIN LATERAL (
            SELECT count(*)::float8 AS count FROM segment_term t WHERE t.lexeme = term.lexeme
        ) AS holding
    ), scored AS (
        SELECT p.segment_key, round(1e9::float8 * sum(
            w.idf * p.frequency / (p.frequency + {k1} * (1 - {b} + {b} * p.length / w.mean_length))
        )) / 1e9::float8 AS score
        FROM weight w JOIN segment_term p ON p.lexeme = w.lexeme
        GROUP BY p.segment_key
    )
"""

# Ties at the end are all kept until the segments' ids are known.
_BEST = """
    , best AS (SELECT segment_key, score FROM scored ORDER BY score DESC FETCH FIRST %(limit)s ROWS WITH TIES)
    SELECT s.id, b.score FROM best b JOIN segment s ON s.key = b.segment_key
    ORDER BY b.score DESC, s.id LIMIT %(limit)s
"""

_BEST_RESTRICTED = """
    SELECT s.id, scored.score FROM scored JOIN segment s ON s.key = scored.segment_key
    WHERE s.is_current {restrictions}
    ORDER BY scored.score DESC, s.id LIMIT %(limit)s
"""


def _float(number: float) -> sql.SQL | sql.Composed:
    # A bare literal would be numeric, and arithmetic in numeric is many times as slow.
    return sql.SQL("{}::float8").format(sql.Literal(number))


@lru_cache(SHAPES)
def exact(restrictions: str) -> bytes:
    """Compares every vector of the slot that the filter admits."""
    return sql.SQL(_EXACT).format(restrictions=sql.SQL(restrictions)).as_bytes()


@lru_cache(SHAPES)
def approximate(restrictions: str, *, model_name: str, dimension: int) -> bytes:
    """Walks the slot's approximate index."""
    # The literal stands in a statement with parameters, where a percent sign must be doubled.
    literal = sql.Literal(model_name.replace("%", "%%"))
    statement = sql.SQL(_APPROXIMATE).format(
        dimension=sql.Literal(dimension), model_name=literal, restrictions=sql.SQL(restrictions)
    )
    return statement.as_bytes()


@lru_cache(SHAPES)
def keyword(restrictions: str, parameters: Bm25) -> bytes:
    """BM25 over the postings of the query's lexemes."""
    scored = sql.SQL(_SCORED).format(k1=_float(parameters.k1), b=_float(parameters.b))
    if not restrictions:
        return (scored + sql.SQL(_BEST)).as_bytes()
    return (scored + sql.SQL(_BEST_RESTRICTED).format(restrictions=sql.SQL(restrictions))).as_bytes()
