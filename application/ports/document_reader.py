"""Reads files of many formats."""

from __future__ import annotations

from typing import Protocol

from domain.document import ReadDocument


class DocumentReader(Protocol):
    """Turns a file's bytes into Markdown with headings. Runs on the calling thread: give it one of its own."""

    @property
    def version(self) -> str:
        """What changes when the same file may be read as other Markdown: part of a document's fingerprint."""
        ...

    def supports(self, name: str) -> bool:
        """Whether a file of that name is of a kind it reads."""
        ...

    def read(self, name: str, content: bytes) -> ReadDocument:
        """Read one file; the name gives the format.

        Raises UnsupportedDocument, UnreadableDocument (truncated, encrypted, not what its name says), EmptyDocument.
        """
        ...
