"""Approximate indexes over embedding slots in PostgreSQL: pgvector's HNSW and IVFFlat, in half precision."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from psycopg import sql

from adapters.postgres import segment_search
from adapters.postgres.database import Connection, Database
from adapters.postgres.embedding_slots import index_name, options_of, prepare_walk, slot
from adapters.postgres.index_builds import NEXT, building, drop_index, drop_indexes
from adapters.postgres.segment_filter import restrictions
from adapters.postgres.text_search import storable
from domain.match import SearchFilter
from domain.retrieval.vector_indexes import (
    IndexExists,
    IndexKind,
    IndexNotFound,
    SlotSize,
    UnknownIndexSlot,
    VectorIndex,
)

_SIZES = """
    SELECT s.model_name, s.dimension,
           (SELECT count(*) FROM segment_embedding e WHERE e.model_name = s.model_name)
    FROM embedding_slot s ORDER BY s.model_name
"""

_INDEXES = """
    SELECT c.relname, am.amname, c.reloptions, pg_relation_size(c.oid), coalesce(u.idx_scan, 0), x.indisvalid
    FROM pg_index x JOIN pg_class c ON c.oid = x.indexrelid JOIN pg_am am ON am.oid = c.relam
    LEFT JOIN pg_stat_user_indexes u ON u.indexrelid = c.oid
    WHERE x.indrelid = 'segment_embedding'::regclass AND am.amname IN ('hnsw', 'ivfflat')
"""

_CREATE = """
    CREATE INDEX CONCURRENTLY {index} ON segment_embedding
    USING {kind} ((embedding::halfvec({dimension})) halfvec_cosine_ops) WITH ({parameters})
    WHERE model_name = {model_name}
"""

_SAMPLE = """
    SELECT e.embedding::text FROM segment_embedding e JOIN segment s ON s.key = e.segment_key
    WHERE e.model_name = %s AND s.is_current ORDER BY random() LIMIT %s
"""


class PostgresIndexAdministration:
    """Builds outside the pool, on connections of its own: a build may take many minutes."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def sizes(self) -> Sequence[SlotSize]:
        """See the port."""
        async with self._database.connection() as connection:
            return await _sizes(connection)

    async def indexes(self) -> Sequence[VectorIndex]:
        """See the port."""
        async with self._database.connection() as connection:
            return await _indexes(connection)

    async def create(self, model_name: str, kind: IndexKind, parameters: Mapping[str, int]) -> VectorIndex:
        """Build with CREATE INDEX CONCURRENTLY."""
        async with building(self._database) as connection:
            size = await _size(connection, model_name)
            if any(one.model_name == model_name and one.is_usable for one in await _indexes(connection)):
                raise IndexExists
            await drop_indexes(connection, model_name)
            name = index_name(model_name, kind)
            await _build(connection, name, size, kind, parameters)
            return await _index(connection, name)

    async def replace(self, name: str, kind: IndexKind, parameters: Mapping[str, int]) -> VectorIndex:
        """Build beside the old one, under its name in the end when it is of its kind."""
        async with building(self._database) as connection:
            old = await _index(connection, name)
            size = await _size(connection, old.model_name)
            lasting = index_name(old.model_name, kind)
            await drop_index(connection, lasting + NEXT)
            await _build(connection, lasting + NEXT, size, kind, parameters)
            await drop_index(connection, name)
            await connection.execute(
                sql.SQL("ALTER INDEX {} RENAME TO {}").format(
                    sql.Identifier(lasting + NEXT), sql.Identifier(lasting)
                )
            )
            return await _index(connection, lasting)

    async def drop(self, name: str) -> None:
        """Take it away with DROP INDEX CONCURRENTLY."""
        async with building(self._database) as connection:
            await _index(connection, name)
            await drop_index(connection, name)

    async def recall(self, model_name: str, *, sample: int, limit: int) -> float:
        """Asks for the same neighbours in both ways, in one transaction."""
        async with self._database.connection() as connection:
            await _size(connection, model_name)
        async with self._database.transaction() as connection:
            found = await slot(connection, model_name)
            if found is None or found.kind is None:
                return 1.0
            await prepare_walk(connection, found, limit)
            everything = restrictions(SearchFilter()).text
            exact = segment_search.exact(everything)
            walk = segment_search.approximate(everything, model_name=model_name, dimension=found.dimension)
            hits = wanted = 0
            vectors = await (await connection.execute(_SAMPLE, (model_name, sample))).fetchall()
            for (vector,) in vectors:
                given = {"vector": vector, "model_name": model_name, "limit": limit}
                nearest = {row[0] for row in await _rows(connection, exact, given)}
                walked = {row[0] for row in await _rows(connection, walk, given)}
                hits, wanted = hits + len(nearest & walked), wanted + len(nearest)
        return hits / wanted if wanted else 1.0


async def _sizes(connection: Connection) -> Sequence[SlotSize]:
    rows = await (await connection.execute(_SIZES)).fetchall()
    return [SlotSize(model_name=name, dimension=dimension, vectors=count) for name, dimension, count in rows]


async def _size(connection: Connection, model_name: str) -> SlotSize:
    for size in await _sizes(connection):
        if size.model_name == storable(model_name):
            return size
    raise UnknownIndexSlot(f"there is no embedding slot {model_name[:100]!r}")


async def _indexes(connection: Connection) -> Sequence[VectorIndex]:
    slots = {
        index_name(size.model_name, kind): size for size in await _sizes(connection) for kind in IndexKind
    }
    rows = await (await connection.execute(_INDEXES)).fetchall()
    found = [_vector_index(row, slots[row[0]]) for row in rows if row[0] in slots]
    return sorted(found, key=lambda index: (index.model_name, not index.is_usable, index.name))


async def _index(connection: Connection, name: str) -> VectorIndex:
    for index in await _indexes(connection):
        if index.name == name:
            return index
    raise IndexNotFound


def _vector_index(row: Sequence[Any], size: SlotSize) -> VectorIndex:
    name, method, options, size_bytes, scans, is_usable = row
    kind = IndexKind(method)
    return VectorIndex(
        name=name,
        model_name=size.model_name,
        kind=kind,
        parameters=options_of(options, kind),
        vectors=size.vectors,
        size_bytes=size_bytes,
        scans=scans,
        is_usable=is_usable,
    )


async def _build(
    connection: Connection, name: str, size: SlotSize, kind: IndexKind, parameters: Mapping[str, int]
) -> None:
    chosen = sql.SQL(", ").join(
        sql.SQL("{} = {}").format(sql.Identifier(key), sql.Literal(value))
        for key, value in parameters.items()
    )
    statement = sql.SQL(_CREATE).format(
        index=sql.Identifier(name),
        kind=sql.Identifier(kind.value),
        dimension=sql.Literal(size.dimension),
        parameters=chosen,
        model_name=sql.Literal(size.model_name),
    )
    await connection.execute(statement)


async def _rows(connection: Connection, statement: bytes, parameters: Mapping[str, Any]) -> Sequence[Any]:
    return await (await connection.execute(statement, parameters)).fetchall()
