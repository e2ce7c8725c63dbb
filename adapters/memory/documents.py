"""The documents in the index and their versions, in memory."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from adapters.memory.corpus import Corpus
from application.ports.counting import COUNTED_EXACTLY
from domain.document import Document, DocumentNotFound
from domain.errors import Invalid
from domain.match import IndexedSegment


class MemoryDocuments:
    """Document versions of one corpus."""

    def __init__(self, corpus: Corpus) -> None:
        self._corpus = corpus

    async def current(self, document_id: str) -> Document:
        """The current version; raises DocumentNotFound."""
        for version in self._corpus.versions.get(document_id, {}).values():
            if version.is_current:
                return version.document
        raise DocumentNotFound(f"there is no document {document_id!r}")

    async def ids(self, origin: str) -> Sequence[str]:
        """The ids of every document of an origin, in order of their code points."""
        return [
            version.document.document_id
            for version in self._corpus.current()
            if version.document.origin == origin
        ]

    async def list(
        self, *, origin: str | None = None, limit: int, offset: int = 0, after: str | None = None
    ) -> tuple[Sequence[Document], int]:
        """See the port."""
        found = [
            version.document
            for version in self._corpus.current()
            if origin is None or version.document.origin == origin
        ]
        behind = [one for one in found if after is None or one.document_id > after]
        return behind[offset : offset + limit], min(len(found), COUNTED_EXACTLY + 1)

    async def segments(
        self, document_id: str, *, limit: int, offset: int = 0
    ) -> tuple[Sequence[IndexedSegment], int]:
        """A page of the current version's segments, as they follow each other, and how many there are in all."""
        await self.current(document_id)
        found = sorted(
            (
                IndexedSegment(
                    id=segment_id,
                    segment=held.embedded.segment,
                    document=document,
                    execution_id=held.embedded.execution_id,
                    lineage_id=held.embedded.lineage_id,
                )
                for segment_id, (document, held) in self._corpus.segments().items()
                if document.document_id == document_id
            ),
            key=lambda one: (one.segment.ordinal, one.id),
        )
        return found[offset : offset + limit], len(found)

    async def begin(self, document: Document, *, expected: int) -> Document:
        """Open the version that will hold ``expected`` segments, or find it open; current at once when it expects none."""
        if not document.document_id or not 0 <= expected < 2**31:
            raise Invalid("a document version needs a document id and a number of segments from 0 up")
        return self._corpus.open(replace(document, segments=expected))

    async def remove(self, document_id: str) -> bool:
        """Take the document and all its segments out of the index; whether there was one."""
        return self._corpus.remove(document_id)
