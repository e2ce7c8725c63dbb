"""Segments in PostgreSQL: vectors by pgvector, words by postings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any
from uuid import UUID

from psycopg import sql

from adapters.postgres import segment_search
from adapters.postgres.database import Connection, Database
from adapters.postgres.document_versions import lock_documents, make_current
from adapters.postgres.embedding_slots import (
    SlotModel,
    add_slots,
    held_slots,
    prepare_walk,
    require_dimension,
    require_same,
    slot,
)
from adapters.postgres.lexemes import Lexemes
from adapters.postgres.segment_filter import is_restricted, restrictions
from adapters.postgres.segment_highlights import highlighted
from adapters.postgres.segment_rows import (
    FETCH,
    OpenVersion,
    VersionKey,
    indexed_segment_of,
    store,
    vector_text,
    versions_of,
)
from adapters.postgres.text_search import configurations, storable
from domain.document import DimensionMismatch, EmbeddedSegment
from domain.embedding_slot import require_same_model
from domain.match import Candidate, IndexedSegment, SearchFilter
from domain.retrieval.bm25 import MAX_QUERY_WORDS, Bm25
from domain.retrieval.words import words

_LANGUAGES = "SELECT language FROM corpus_statistics WHERE segments > 0"

_SLOTS = """
    SELECT e.model_name, count(*) FROM segment_embedding e JOIN segment s ON s.key = e.segment_key
    WHERE s.is_current GROUP BY e.model_name ORDER BY e.model_name
"""

_VECTORS = """
    SELECT s.id, e.embedding::real[] FROM segment s JOIN segment_embedding e ON e.segment_key = s.key
    WHERE s.id = ANY(%s) AND s.is_current AND e.model_name = %s
"""

_ORIGINS = "SELECT origin, count(*) FROM document_version WHERE is_current GROUP BY origin ORDER BY origin"


class PostgresSegmentIndex:
    """Segments, their vectors in half precision, and postings of the current ones."""

    def __init__(self, database: Database, *, parameters: Bm25 | None = None) -> None:
        self._database = database
        self._parameters = parameters or Bm25()
        self._lexemes = Lexemes()

    async def index(self, segments: Sequence[EmbeddedSegment]) -> None:
        """Put segments of opened versions in; a version that is complete with them becomes current at once."""
        cleaned = [_storable(segment) for segment in segments]
        if not cleaned:
            return
        models = _models(cleaned)
        while not await self._indexed(cleaned, models):
            async with self._database.transaction() as connection:
                await add_slots(connection, models)

    async def _indexed(self, segments: Sequence[EmbeddedSegment], models: Mapping[str, SlotModel]) -> bool:
        """Whether they are in the index now; False, and nothing is changed, when a slot must be added first."""
        async with self._database.pipelined() as connection:
            slots = await held_slots(connection, models)
            await lock_documents(connection, (segment.document_id for segment in segments))
            versions = await versions_of(connection, segments)
            if not require_same(await slots.fetchall(), models):
                return False
            await _index(connection, segments, versions, self._lexemes)
        return True

    async def semantic(
        self,
        vector: Sequence[float],
        *,
        model_name: str,
        limit: int,
        where: SearchFilter,
        model_identity: str = "",
    ) -> Sequence[Candidate]:
        """The nearest segments of a slot by cosine similarity; nothing when there is no such slot."""
        restricted = restrictions(where)
        parameters = {
            **restricted.parameters,
            "limit": limit,
            "vector": vector_text(vector),
            "model_name": storable(model_name),
        }
        async with self._database.transaction() as connection:
            found = await slot(connection, storable(model_name))
            if found is None:
                return []
            require_dimension(model_name, found.dimension, len(vector))
            require_same_model(model_name, found.identity, model_identity)
            if found.kind is not None:
                await prepare_walk(connection, found, limit)
                query = segment_search.approximate(
                    restricted, model_name=model_name, dimension=found.dimension
                )
                candidates = await _candidates(connection, query, parameters)
                if len(candidates) == limit:
                    return candidates
            return await _candidates(connection, segment_search.exact(restricted), parameters)

    async def keyword(self, query: str, *, limit: int, where: SearchFilter) -> Sequence[Candidate]:
        """The segments with any of the query's first 128 distinct words by BM25."""
        wanted = list(dict.fromkeys(words(query)))[:MAX_QUERY_WORDS]
        if not wanted:
            return []
        async with self._database.connection() as connection:
            rows = await (await connection.execute(_LANGUAGES)).fetchall()
            languages = [where.language] if where.language else [language for (language,) in rows]
            if not rows:
                return []
            restricted = restrictions(where)
            parameters = {
                **restricted.parameters,
                "limit": limit,
                "words": " ".join(wanted),
                "configurations": configurations(languages),
            }
            statement = segment_search.keyword(restricted if is_restricted(where) else None, self._parameters)
            return await _candidates(connection, statement, parameters)

    async def fetch(
        self, segment_ids: Sequence[UUID], *, query: str | None = None
    ) -> Mapping[UUID, IndexedSegment]:
        """The segments of those ids that are in current versions."""
        async with self._database.connection() as connection:
            rows = await (await connection.execute(FETCH, (list(segment_ids),))).fetchall()
            found = [indexed_segment_of(row) for row in rows]
            if query is not None:
                found = await highlighted(connection, self._lexemes, found, query)
        return {segment.id: segment for segment in found}

    async def vectors(
        self, segment_ids: Sequence[UUID], *, model_name: str
    ) -> Mapping[UUID, Sequence[float]]:
        """The vectors of those segments that the slot holds, in half precision."""
        async with self._database.connection() as connection:
            given = (list(segment_ids), storable(model_name))
            rows = await (await connection.execute(_VECTORS, given)).fetchall()
        return dict(rows)

    async def slots(self) -> Mapping[str, int]:
        """How many current segments each slot holds."""
        return await self._counts(_SLOTS)

    async def origins(self) -> Mapping[str, int]:
        """How many documents each origin holds."""
        return await self._counts(_ORIGINS)

    async def _counts(self, statement: str) -> Mapping[str, int]:
        async with self._database.connection() as connection:
            rows = await (await connection.execute(statement.encode())).fetchall()
        return dict(rows)


async def _index(
    connection: Connection,
    segments: Sequence[EmbeddedSegment],
    versions: Mapping[VersionKey, OpenVersion],
    lexemes: Lexemes,
) -> None:
    accepted = [segment for segment in segments if (segment.document_id, segment.version) in versions]
    if accepted:
        await make_current(connection, *await store(connection, accepted, versions, lexemes))


async def _candidates(
    connection: Connection, statement: sql.Composed, parameters: Mapping[str, Any]
) -> Sequence[Candidate]:
    rows = await (await connection.execute(statement, parameters)).fetchall()
    return [Candidate(segment_id=segment_id, score=score) for segment_id, score in rows]


def _storable(segment: EmbeddedSegment) -> EmbeddedSegment:
    document_id, model_name = storable(segment.document_id), storable(segment.model_name)
    if (document_id, model_name) == (segment.document_id, segment.model_name):
        return segment
    return replace(segment, document_id=document_id, model_name=model_name)


def _models(segments: Sequence[EmbeddedSegment]) -> Mapping[str, SlotModel]:
    models: dict[str, SlotModel] = {}
    for segment in segments:
        name, given = segment.model_name, len(segment.vector)
        known = models.setdefault(name, SlotModel(given, segment.model_identity))
        if not given or known.dimension != given:
            raise DimensionMismatch(f"vectors for the slot {name!r} are of different lengths, or empty")
        require_same_model(name, known.identity, segment.model_identity)
        if not known.identity:
            models[name] = SlotModel(given, segment.model_identity)
    return models
