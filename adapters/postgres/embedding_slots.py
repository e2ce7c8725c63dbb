"""The embedding slots there are, and the approximate index of each that is large enough for one."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence

from psycopg import sql

from adapters.postgres.database import Connection, Database
from adapters.postgres.translation import translating
from domain.document import DimensionMismatch

APPROXIMATE_FROM = 20_000
"""Vectors in a slot from which an HNSW index is worth its approximation; below, every vector is compared."""

MAX_INDEXED_DIMENSION = 4_000
"""Beyond this pgvector cannot index a halfvec."""

# Any number will do as long as it is always the same one.
_BUILD_LOCK = 0x68616C66

_ADD = """
    INSERT INTO embedding_slot (model_name, dimension) VALUES (%s, %s) ON CONFLICT (model_name) DO NOTHING
"""

_DIMENSIONS = "SELECT model_name, dimension FROM embedding_slot WHERE model_name = ANY(%s)"

_SLOT = """
    SELECT dimension, EXISTS (SELECT FROM pg_index WHERE indexrelid = to_regclass(%s) AND indisvalid)
    FROM embedding_slot WHERE model_name = %s
"""

_LARGE = """
    SELECT s.model_name, s.dimension FROM embedding_slot s
    WHERE s.dimension <= %s AND (
        SELECT count(*) FROM (SELECT FROM segment_embedding e WHERE e.model_name = s.model_name LIMIT %s) AS counted
    ) >= %s
    ORDER BY s.model_name
"""

_CREATE = """
    CREATE INDEX CONCURRENTLY {index} ON segment_embedding
    USING hnsw ((embedding::halfvec({dimension})) halfvec_cosine_ops) WHERE model_name = {model_name}
"""

_IS_VALID = "SELECT EXISTS (SELECT FROM pg_index WHERE indexrelid = to_regclass(%s) AND indisvalid)"


def index_name(model_name: str) -> str:
    """The name of a slot's HNSW index; names of slots may be longer than names of indexes."""
    return f"segment_embedding_hnsw_{hashlib.blake2b(model_name.encode(), digest_size=8).hexdigest()}"


async def require_dimensions(connection: Connection, dimensions: Mapping[str, int]) -> None:
    """Add slots that are new; raises DimensionMismatch where a slot has another dimension."""
    for model_name in sorted(dimensions):
        await connection.execute(_ADD, (model_name, dimensions[model_name]))
    rows = await (await connection.execute(_DIMENSIONS, (list(dimensions),))).fetchall()
    for model_name, dimension in rows:
        require_dimension(model_name, dimension, dimensions[model_name])


def require_dimension(model_name: str, dimension: int, given: int) -> None:
    """Raise DimensionMismatch unless they are the same."""
    if dimension != given:
        raise DimensionMismatch(f"the slot {model_name!r} has {dimension} dimensions, the vector {given}")


async def slot(connection: Connection, model_name: str) -> tuple[int, bool] | None:
    """The slot's dimension and whether it has an index that can be used; None when there is no such slot."""
    row = await (await connection.execute(_SLOT, (index_name(model_name), model_name))).fetchone()
    return (row[0], row[1]) if row else None


async def index_large_slots(database: Database, *, from_vectors: int = APPROXIMATE_FROM) -> Sequence[str]:
    """Build the missing index of every slot that large, without blocking writers; returns their model names.

    One process builds at a time; another that asks meanwhile returns at once with nothing.
    """
    async with database.connection() as connection:
        rows = await (
            await connection.execute(_LARGE, (MAX_INDEXED_DIMENSION, from_vectors, from_vectors))
        ).fetchall()
        missing = [(name, dimension) for name, dimension in rows if not await _is_valid(connection, name)]
    return await _build_all(database, missing) if missing else []


async def _build_all(database: Database, missing: Sequence[tuple[str, int]]) -> Sequence[str]:
    built: list[str] = []
    # Outside the pool, which lets no statement take as long as this may; the lock ends with the connection.
    with translating():
        async with await database.connect("factflow indexes") as connection:
            if not await _is_granted(connection, "SELECT pg_try_advisory_lock(%s)"):
                return []
            for model_name, dimension in missing:
                if not await _is_valid(connection, model_name):
                    await _build(connection, model_name, dimension)
                    built.append(model_name)
    return built


async def approximate_slots(database: Database) -> Sequence[str]:
    """The slots that have an index that can be used, in order."""
    async with database.connection() as connection:
        rows = await (await connection.execute("SELECT model_name FROM embedding_slot ORDER BY 1")).fetchall()
        return [name for (name,) in rows if await _is_valid(connection, name)]


async def _is_valid(connection: Connection, model_name: str) -> bool:
    row = await (await connection.execute(_IS_VALID, (index_name(model_name),))).fetchone()
    return bool(row and row[0])


async def _is_granted(connection: Connection, statement: str) -> bool:
    row = await (await connection.execute(statement.encode(), (_BUILD_LOCK,))).fetchone()
    return bool(row and row[0])


async def _build(connection: Connection, model_name: str, dimension: int) -> None:
    index = sql.Identifier(index_name(model_name))
    # What an interrupted build left behind is invalid and in the way.
    await connection.execute(sql.SQL("DROP INDEX CONCURRENTLY IF EXISTS {}").format(index))
    statement = sql.SQL(_CREATE).format(
        index=index, dimension=sql.Literal(dimension), model_name=sql.Literal(model_name)
    )
    await connection.execute(statement)
