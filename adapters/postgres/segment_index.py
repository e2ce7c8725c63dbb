"""Segments in PostgreSQL: vectors by pgvector, words by postings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any
from uuid import UUID

from adapters.postgres import segment_search
from adapters.postgres.database import Connection, Database
from adapters.postgres.document_versions import lock_documents, make_current
from adapters.postgres.embedding_slots import (
    Cursor,
    Slot,
    SlotModel,
    add_slots,
    asked_slot,
    held_slots,
    prepare_walk,
    require_dimension,
    require_same,
)
from adapters.postgres.known_slots import KnownSlots
from adapters.postgres.lexemes import Lexemes
from adapters.postgres.segment_filter import restrictions
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
from adapters.postgres.translation import ValueNotStorable
from application.ports.segment_index import LEAST_LOOK
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
        self._slots = KnownSlots(database)
        self._configurations: Sequence[str] = []

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
        name, restricted = storable(model_name), restrictions(where)
        parameters = {
            **restricted.parameters,
            "limit": limit,
            "vector": vector_text(vector),
            "model_name": name,
        }
        while (assumed := await self._slots.of(name, len(vector))) is not None:
            require_dimension(model_name, assumed.dimension, len(vector))
            look = limit if assumed.kind is None else max(limit, LEAST_LOOK)
            asked = await self._nearest(assumed, restricted.text, {**parameters, "limit": look})
            if asked is None:
                continue
            require_same_model(model_name, assumed.identity, model_identity)
            candidates = await _candidates(asked)
            if assumed.kind is None or len(candidates) == look:
                return candidates[:limit]
            async with self._database.connection() as connection:
                exact = segment_search.exact(restricted.text)
                return await _candidates(await connection.execute(exact, parameters, binary=True))
        return []

    async def _nearest(
        self, assumed: Slot, restrictions: str, parameters: Mapping[str, Any]
    ) -> Cursor | None:
        """What is nearest; None where the slot is another than assumed."""
        name, statement = parameters["model_name"], segment_search.exact(restrictions)
        try:
            async with self._database.pipelined_reads() as connection:
                told = await asked_slot(connection, name)
                if assumed.kind is not None:
                    await prepare_walk(connection, assumed, parameters["limit"])
                    statement = segment_search.approximate(
                        restrictions, model_name=name, dimension=assumed.dimension
                    )
                asked = await connection.execute(statement, parameters, binary=True)
        except ValueNotStorable:
            # Vectors of another dimension than assumed are refused, but so is a number that half precision cannot hold.
            if await self._slots.now(name) == assumed:
                raise
            return None
        return asked if await self._slots.confirms(told, name, assumed) else None

    async def keyword(self, query: str, *, limit: int, where: SearchFilter) -> Sequence[Candidate]:
        """The segments with any of the query's first 128 distinct words by BM25."""
        wanted = list(dict.fromkeys(words(query)))[:MAX_QUERY_WORDS]
        if not wanted:
            return []
        restricted = restrictions(where)
        statement = segment_search.keyword(restricted.text, self._parameters)
        parameters = {**restricted.parameters, "limit": limit, "words": " ".join(wanted)}
        if where.language:
            parameters["configurations"] = configurations([where.language])
            async with self._database.connection() as connection:
                return await _candidates(await connection.execute(statement, parameters, binary=True))
        return await self._in_all_languages(statement, parameters)

    async def _in_all_languages(self, statement: bytes, parameters: Mapping[str, Any]) -> Sequence[Candidate]:
        # Which languages there are hardly ever changes, so they are asked for along with what they are needed for.
        while True:
            assumed = self._configurations
            async with self._database.pipelined_reads() as connection:
                languages = await connection.execute(_LANGUAGES)
                asked = await connection.execute(
                    statement, {**parameters, "configurations": assumed}, binary=True
                )
            self._configurations = configurations(language for (language,) in await languages.fetchall())
            if self._configurations == assumed:
                return await _candidates(asked)

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


async def _candidates(asked: Cursor) -> Sequence[Candidate]:
    return list(map(Candidate._make, await asked.fetchall()))


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
