"""Segment indexes with their documents to test, and documents to put into them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import pytest

from adapters.memory.corpus import Corpus
from adapters.memory.documents import MemoryDocuments
from adapters.memory.segment_index import MemorySegmentIndex
from adapters.postgres.documents import PostgresDocuments
from adapters.postgres.segment_index import PostgresSegmentIndex
from application.ports.documents import Documents
from application.ports.segment_index import SegmentIndex
from domain.document import Document, EmbeddedSegment, Segment, segment_id
from domain.match import SearchFilter
from tests.databases import SERVERS, fresh_database

EVERYTHING = SearchFilter()
SLOT = "tiny"

_EXECUTION = """
    INSERT INTO pipeline_execution (id, config_id, status, config_snapshot, started_at)
    VALUES (%s, %s, 'completed', '{}', now())
"""


@dataclass(frozen=True, slots=True)
class Indexes:
    """Both sides of one index. ``stems`` says whether words are compared by their stems."""

    segments: SegmentIndex
    documents: Documents
    stems: bool
    ran: Callable[[UUID, UUID], Awaitable[None]] | None = None
    forget: Callable[[UUID], Awaitable[None]] | None = None

    async def executed(self, execution_id: UUID, config_id: UUID) -> None:
        """Let there be an execution of that config."""
        assert self.ran is not None
        await self.ran(execution_id, config_id)

    async def forgotten(self, execution_id: UUID) -> None:
        """Let the execution be forgotten, if there was one and anybody remembers."""
        if self.forget is not None:
            await self.forget(execution_id)

    async def opened(self, document_id: str, *, expected: int = 1, **fields: Any) -> Document:
        """A version of a document, open."""
        return await self.documents.begin(new_document(document_id, **fields), expected=expected)

    async def indexed(self, document_id: str, *texts: str, **fields: Any) -> Sequence[EmbeddedSegment]:
        """A document that is current, of one segment per text."""
        opened = await self.opened(document_id, expected=len(texts), **fields)
        segments = embedded(opened, *texts)
        await self.segments.index(segments)
        return segments

    async def found(self, query: str, *, where: SearchFilter = EVERYTHING, limit: int = 100) -> list[UUID]:
        """The ids of the segments that a keyword search finds."""
        candidates = await self.segments.keyword(query, limit=limit, where=where)
        return [candidate.segment_id for candidate in candidates]

    async def nearest(
        self, *vector: float, where: SearchFilter = EVERYTHING, limit: int = 100, slot: str = SLOT
    ) -> list[UUID]:
        """The ids of the segments nearest to a vector."""
        candidates = await self.segments.semantic(vector, model_name=slot, limit=limit, where=where)
        return [candidate.segment_id for candidate in candidates]


def new_document(document_id: str, **fields: Any) -> Document:
    """A document whose fingerprint is its id unless told."""
    given: dict[str, Any] = {
        "document_id": document_id,
        "origin": "shelf",
        "title": "",
        "url": f"file:///{document_id}",
        "fingerprint": document_id,
        "version": 1,
    } | fields
    return Document(**given)


def embedded(
    document: Document,
    *texts: str,
    vectors: Sequence[Sequence[float]] = (),
    model_name: str = SLOT,
    **fields: Any,
) -> Sequence[EmbeddedSegment]:
    """A segment per text, with vectors that turn away from (1, 0) as they go unless told."""
    return [
        EmbeddedSegment(
            id=segment_id(document.document_id, text, 0),
            document_id=document.document_id,
            version=document.version,
            segment=Segment(ordinal=ordinal, text=text, start=0, end=len(text)),
            model_name=model_name,
            vector=vectors[ordinal] if vectors else (1.0, ordinal / 4),
            **fields,
        )
        for ordinal, text in enumerate(texts)
    ]


@pytest.fixture(params=["memory", *SERVERS])
async def indexes(request: pytest.FixtureRequest) -> AsyncIterator[Indexes]:
    """Each adapter in turn, empty."""
    if request.param == "memory":
        corpus = Corpus()

        async def remember(execution_id: UUID, config_id: UUID) -> None:
            corpus.configs[execution_id] = config_id

        yield Indexes(MemorySegmentIndex(corpus), MemoryDocuments(corpus), stems=False, ran=remember)
        return
    async with fresh_database(request.getfixturevalue("postgres_url")) as database:

        async def insert(execution_id: UUID, config_id: UUID) -> None:
            async with database.connection() as connection:
                await connection.execute(_EXECUTION, (execution_id, config_id))

        async def delete(execution_id: UUID) -> None:
            async with database.connection() as connection:
                await connection.execute("DELETE FROM pipeline_execution WHERE id = %s", (execution_id,))

        index, documents = PostgresSegmentIndex(database), PostgresDocuments(database)
        yield Indexes(index, documents, stems=True, ran=insert, forget=delete)
