"""Documents, their versions and segments: what is searched, and what a citation points into."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from domain.errors import Invalid, NotFound
from domain.identity import derived_id
from domain.json import JsonObject
from domain.language import one_code


class DocumentNotFound(NotFound):
    """There is no document with that id."""

    code = "document_not_found"


class UnreadableDocument(Invalid):
    """The document cannot be read."""

    code = "document_unreadable"


class EmptyDocument(UnreadableDocument):
    """The document has no text."""

    code = "document_empty"


class UnsupportedDocument(UnreadableDocument):
    """There is no reader for that kind of document."""

    code = "document_unsupported"


class DimensionMismatch(Invalid):
    """The vector is not of its embedding slot's dimension."""

    code = "embedding_dimension_mismatch"


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadDocument:
    """What a reader makes of a file: Markdown with headings.

    ``page_starts`` are the character offsets into ``markdown`` at which each page begins, empty where the format
    has no pages. ``language`` is an ISO 639-1 code the document itself declares, None when it does not.
    """

    markdown: str
    title: str | None = None
    page_starts: Sequence[int] = ()
    language: str | None = None
    metadata: JsonObject = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Segment:
    """A piece of a document: ``markdown[start:end] == text``, in characters.

    ``ordinal`` counts from 0 in the document. ``heading_path`` holds the headings it stands under, outermost first.
    ``page`` counts from 1; None where the format has no pages.
    """

    ordinal: int
    text: str
    start: int
    end: int
    heading_path: Sequence[str] = ()
    page: int | None = None
    tokens: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """A document as it stands in the index.

    ``document_id`` is stable for its place in a source (``origin`` and path); ``fingerprint`` tells whether content,
    segmentation and slot are unchanged. ``version`` counts from 1; readers see the current version only.
    ``language`` is kept under its one code, whatever tag was given.
    """

    document_id: str
    origin: str
    title: str
    url: str
    fingerprint: str
    version: int
    language: str = "en"
    segments: int = 0
    indexed_at: datetime | None = None
    execution_id: UUID | None = None
    object_key: str | None = None
    metadata: JsonObject = field(default_factory=dict)

    def __post_init__(self) -> None:
        object.__setattr__(self, "language", one_code(self.language))


@dataclass(frozen=True, slots=True, kw_only=True)
class EmbeddedSegment:
    """A segment of a document version with its vector in one embedding slot (``model_name``), of unit length.

    ``model_identity`` says which weights and arithmetic made the vector, empty where that is not known.
    ``lineage_id`` is the correlation id of the attempt that indexes it.
    """

    id: UUID
    document_id: str
    version: int
    segment: Segment
    model_name: str
    vector: Sequence[float]
    model_identity: str = ""
    execution_id: UUID | None = None
    lineage_id: UUID | None = None


def document_id(origin: str, name: str) -> str:
    """The id of the document of that name in an origin; the same whenever it is read."""
    return str(derived_id("document", origin, name))


def segment_id(document_id: str, text: str, occurrence: int) -> UUID:
    """An id that a segment keeps over re-ingestion while its text is unchanged.

    ``occurrence`` counts earlier segments of the same document with the very same text.
    """
    return derived_id("segment", document_id, text, occurrence)
