"""Indexed documents and their segments on the wire."""

from __future__ import annotations

from base64 import b64decode, urlsafe_b64encode
from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from msgspec import Meta, Struct

from adapters.http.wire.pages import page_numbers
from application.object_listing import InvalidCursor
from application.ports.counting import COUNTED_EXACTLY
from domain.document import Document
from domain.match import IndexedSegment

Key = Annotated[str, Meta(examples=["executions/01890a5e-0c3b-7d11-9d3c-6c1c3d1b0a55/read/markdown/4f1c.md"])]


class DocumentResponse(Struct, frozen=True, kw_only=True):
    """A document in the index, in its current version. `object_key` is where its text is stored."""

    document_id: str
    origin: str
    title: str
    url: str
    language: str
    version: int
    fingerprint: str
    segments: int
    indexed_at: datetime | None
    execution_id: UUID | None
    object_key: Key | None
    metadata: dict[str, Any]


class DocumentListResponse(Struct, frozen=True, kw_only=True):
    """A page of documents; `total` counts up to 10,000, and `is_total_exact` says whether that is all."""

    documents: list[DocumentResponse]
    total: int
    is_total_exact: bool
    limit: int
    offset: int
    has_more: bool
    next_cursor: str | None = None


class DocumentSegmentResponse(Struct, frozen=True, kw_only=True):
    """A piece of a document: its text stands from character `start` to `end` of the document's.

    `lineage_id` is the correlation id of the attempt that indexed it.
    """

    segment_id: UUID
    ordinal: int
    text: str
    start: int
    end: int
    heading_path: list[str]
    page: int | None
    tokens: int
    execution_id: UUID | None
    lineage_id: UUID | None


class DocumentSegmentListResponse(Struct, frozen=True, kw_only=True):
    """A page of a document's segments, as they follow each other."""

    document_id: str
    segments: list[DocumentSegmentResponse]
    total: int
    limit: int
    offset: int
    has_more: bool
    next_cursor: str | None = None


def document_response(document: Document) -> DocumentResponse:
    """A document as it travels."""
    return DocumentResponse(
        document_id=document.document_id,
        origin=document.origin,
        title=document.title,
        url=document.url,
        language=document.language,
        version=document.version,
        fingerprint=document.fingerprint,
        segments=document.segments,
        indexed_at=document.indexed_at,
        execution_id=document.execution_id,
        object_key=document.object_key,
        metadata=dict(document.metadata),
    )


def document_list_response(
    page: Sequence[Document], *, total: int, limit: int, offset: int
) -> DocumentListResponse:
    """A page of documents as it travels; ``page`` has one more than the limit when there are more."""
    documents = [document_response(document) for document in page[:limit]]
    has_more = len(page) > limit
    return DocumentListResponse(
        documents=documents,
        total=min(total, COUNTED_EXACTLY),
        is_total_exact=total <= COUNTED_EXACTLY,
        limit=limit,
        offset=offset,
        has_more=has_more,
        next_cursor=_cursor_behind(documents[-1].document_id) if has_more else None,
    )


def document_behind(cursor: str | None) -> str | None:
    """The id of the document that a page begins behind; raises InvalidCursor."""
    if cursor is None:
        return None
    try:
        return b64decode(cursor.encode(), altchars=b"-_", validate=True).decode()
    except ValueError as error:
        raise InvalidCursor from error


def _cursor_behind(document_id: str) -> str:
    return urlsafe_b64encode(document_id.encode()).decode()


def segment_list_response(
    document_id: str, page: Sequence[IndexedSegment], *, total: int, limit: int, offset: int
) -> DocumentSegmentListResponse:
    """A page of segments as it travels."""
    segments = [_segment_response(one) for one in page]
    numbers = page_numbers(len(segments), total=total, limit=limit, offset=offset)
    return DocumentSegmentListResponse(document_id=document_id, segments=segments, **numbers)


def _segment_response(found: IndexedSegment) -> DocumentSegmentResponse:
    segment = found.segment
    return DocumentSegmentResponse(
        segment_id=found.id,
        ordinal=segment.ordinal,
        text=segment.text,
        start=segment.start,
        end=segment.end,
        heading_path=list(segment.heading_path),
        page=segment.page,
        tokens=segment.tokens,
        execution_id=found.execution_id,
        lineage_id=found.lineage_id,
    )
