"""The documents in the index: looked through, read and taken out."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass

from application.ports.documents import Documents
from application.ports.object_storage import ObjectStorage
from domain.document import Document, DocumentNotFound
from domain.errors import NotFound
from domain.match import IndexedSegment
from domain.storage import ObjectNotFound, StoredObject


class DocumentTextNotKept(NotFound):
    """The document's text is not in storage: its pipeline did not keep it, or it was deleted."""

    code = "document_text_not_kept"


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexedDocuments:
    """What can be done with the documents in the index, of which readers see the current version."""

    documents: Documents
    storage: ObjectStorage

    async def list(
        self, *, origin: str | None = None, limit: int, offset: int = 0, after: str | None = None
    ) -> tuple[Sequence[Document], int]:
        """A page of the documents, by id, and how many there are in all; see ``Documents.list``."""
        return await self.documents.list(origin=origin, limit=limit, offset=offset, after=after)

    async def get(self, document_id: str) -> Document:
        """One document; raises DocumentNotFound."""
        return await self.documents.current(document_id)

    async def segments(
        self, document_id: str, *, limit: int, offset: int = 0
    ) -> tuple[Sequence[IndexedSegment], int]:
        """A page of its segments as they follow each other, and how many it has; raises DocumentNotFound."""
        return await self.documents.segments(document_id, limit=limit, offset=offset)

    async def text(self, document_id: str) -> StoredObject:
        """The stored Markdown from which its segments were cut; raises DocumentNotFound, DocumentTextNotKept."""
        document = await self.documents.current(document_id)
        if document.object_key is None:
            raise DocumentTextNotKept
        try:
            return await self.storage.head(document.object_key)
        except ObjectNotFound as error:
            raise DocumentTextNotKept from error

    def stream(self, key: str, *, start: int = 0, end: int | None = None) -> AsyncIterator[bytes]:
        """The bytes of a text from ``start`` up to, not including, ``end``; raises ObjectNotFound at the first chunk."""
        return self.storage.stream(key, start=start, end=end)

    async def delete(self, document_id: str) -> None:
        """Take the document out of the index with its segments and embeddings; raises DocumentNotFound.

        Its stored objects stay: they are what its execution kept. A later run over its source takes it in again.
        """
        if not await self.documents.remove(document_id):
            raise DocumentNotFound(f"there is no document {document_id!r}")
