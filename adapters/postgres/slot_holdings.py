"""What the embedding slots in PostgreSQL hold."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from adapters.postgres.database import Database
from adapters.postgres.index_builds import building, drop_indexes
from adapters.postgres.text_search import storable
from adapters.postgres.translation import translating
from domain.embedding_slot import Coverage, LackingDocument, SlotHolding

# A halfvec has four bytes of its own before its numbers.
_HOLDINGS = """
    SELECT x.model_name, x.dimension, x.identity, count(s.key) FILTER (WHERE s.is_current),
           count(DISTINCT s.document_id) FILTER (WHERE s.is_current), count(e.segment_key),
           count(e.segment_key) * (2 * x.dimension + 8)
    FROM embedding_slot x LEFT JOIN segment_embedding e ON e.model_name = x.model_name
    LEFT JOIN segment s ON s.key = e.segment_key
    GROUP BY x.model_name ORDER BY x.model_name
"""

_COVERAGE = """
    SELECT count(*), count(e.segment_key)
    FROM segment s LEFT JOIN segment_embedding e ON e.segment_key = s.key AND e.model_name = %(model_name)s
    WHERE s.is_current AND (%(origins)s::text[] = '{}' OR s.origin = ANY(%(origins)s::text[]))
"""

_LACKING = """
    SELECT s.document_id, s.version, array_agg(s.id ORDER BY s.ordinal, s.id)
    FROM segment s
    WHERE s.is_current AND s.document_id > %(after)s
      AND (%(origins)s::text[] = '{}' OR s.origin = ANY(%(origins)s::text[]))
      AND NOT EXISTS (SELECT FROM segment_embedding e
                      WHERE e.segment_key = s.key AND e.model_name = %(model_name)s)
    GROUP BY s.document_id, s.version ORDER BY s.document_id LIMIT %(limit)s
"""

_REMOVE = """
    DELETE FROM segment_embedding e USING segment s
    WHERE s.key = e.segment_key
      AND (%(document_id)s::text IS NULL OR s.document_id = %(document_id)s)
      AND (%(execution_id)s::uuid IS NULL OR s.execution_id = %(execution_id)s)
      AND (%(model_name)s::text IS NULL OR e.model_name = %(model_name)s)
"""

# Whoever writes vectors holds the slot's row, so none comes in between these two.
_DROP_SLOT = "DELETE FROM embedding_slot WHERE model_name = %s"
_DROP_VECTORS = "DELETE FROM segment_embedding WHERE model_name = %s"


class PostgresEmbeddingSlots:
    """Counts and takes out; a slot of many vectors is dropped on a connection of its own, which may take its time."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def holdings(self) -> Sequence[SlotHolding]:
        """See the port."""
        async with self._database.connection() as connection:
            rows = await (await connection.execute(_HOLDINGS)).fetchall()
        return [
            SlotHolding(
                model_name=row[0],
                dimension=row[1],
                identity=row[2],
                segments=row[3],
                documents=row[4],
                vectors=row[5],
                size_bytes=row[6],
            )
            for row in rows
        ]

    async def coverage(self, model_name: str, *, origins: Sequence[str] = ()) -> Coverage:
        """See the port."""
        given = {"model_name": storable(model_name), "origins": list(map(storable, origins))}
        async with self._database.connection() as connection:
            row = await (await connection.execute(_COVERAGE, given)).fetchone()
        segments, held = row or (0, 0)
        return Coverage(segments=segments, held=held)

    async def lacking(
        self, model_name: str, *, origins: Sequence[str] = (), after: str = "", limit: int
    ) -> Sequence[LackingDocument]:
        """See the port."""
        given = {
            "model_name": storable(model_name),
            "origins": list(map(storable, origins)),
            "after": storable(after),
            "limit": limit,
        }
        async with self._database.connection() as connection:
            rows = await (await connection.execute(_LACKING, given)).fetchall()
        return [
            LackingDocument(document_id=document_id, version=version, segment_ids=segment_ids)
            for document_id, version, segment_ids in rows
        ]

    async def remove(
        self,
        *,
        document_id: str | None = None,
        execution_id: UUID | None = None,
        model_name: str | None = None,
    ) -> int:
        """See the port."""
        if document_id is None and execution_id is None:
            return 0
        given = {
            "document_id": None if document_id is None else storable(document_id),
            "execution_id": execution_id,
            "model_name": None if model_name is None else storable(model_name),
        }
        with translating():
            async with await self._database.connect("factflow embeddings") as connection:
                return (await connection.execute(_REMOVE, given)).rowcount

    async def drop(self, model_name: str) -> int | None:
        """See the port. Its indexes go first: what is left when that breaks off is a whole slot, which can be dropped."""
        name = storable(model_name)
        async with building(self._database) as connection:
            await drop_indexes(connection, name)
            async with connection.transaction():
                if not (await connection.execute(_DROP_SLOT, (name,))).rowcount:
                    return None
                return (await connection.execute(_DROP_VECTORS, (name,))).rowcount
