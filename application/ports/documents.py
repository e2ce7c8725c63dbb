"""The documents in the index and their versions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from domain.document import Document
from domain.match import IndexedSegment


class Documents(Protocol):
    """Which documents are indexed, in which version. Readers see the current version only."""

    async def current(self, document_id: str) -> Document:
        """The current version; raises DocumentNotFound."""
        ...

    async def ids(self, origin: str) -> Sequence[str]:
        """The ids of every document of an origin, in order."""
        ...

    async def list(
        self, *, origin: str | None = None, limit: int, offset: int = 0, after: str | None = None
    ) -> tuple[Sequence[Document], int]:
        """A page of the current versions, by the code points of their document ids, from behind an id if one is given.

        With it how many there are in all, counted up to one more than ``COUNTED_EXACTLY``.
        """
        ...

    async def segments(
        self, document_id: str, *, limit: int, offset: int = 0
    ) -> tuple[Sequence[IndexedSegment], int]:
        """A page of the current version's segments, as they follow each other, and how many there are in all.

        Raises DocumentNotFound.
        """
        ...

    async def begin(self, document: Document, *, expected: int) -> Document:
        """Open the version that will hold ``expected`` segments; returns it with its ``version`` number.

        Opening the newest version again with the same fingerprint returns the same number, unless it is current and
        another execution had opened it: who opens a document that is unchanged wants it made anew. The version becomes
        current in the transaction that indexes its last segment, at once when it expects none; until then readers
        see the one before, afterwards nothing of the one before remains.
        """
        ...

    async def remove(self, document_id: str) -> bool:
        """Take the document and all its segments out of the index; whether there was one."""
        ...
