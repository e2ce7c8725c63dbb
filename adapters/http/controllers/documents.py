"""The documents in the index."""

from __future__ import annotations

from typing import Annotated, Any

from litestar import Controller, delete, get
from litestar.di import NamedDependency
from litestar.params import PathParameter, QueryParameter, SkipValidation

from adapters.http.bodies import JsonRequest
from adapters.http.errors import RangeNotSatisfiable
from adapters.http.object_answers import PART_ANSWERS, RANGE_PARAMETERS, object_answer
from adapters.http.streaming import ByteStream
from adapters.http.wire.documents import (
    DocumentListResponse,
    DocumentResponse,
    DocumentSegmentListResponse,
    document_behind,
    document_list_response,
    document_response,
    segment_list_response,
)
from adapters.http.wire.pages import Cursor, Limit, Offset
from application.documents import DocumentTextNotKept, IndexedDocuments
from application.object_listing import InvalidCursor
from domain.document import DocumentNotFound

UseCase = NamedDependency[SkipValidation[IndexedDocuments]]
DocumentId = Annotated[str, PathParameter(description="The document's id.")]
_TEXT: dict[str, Any] = {
    "description": "The document as Markdown.",
    "content": {"text/markdown": {"schema": {"type": "string"}, "example": "# Handbook"}},
}


class DocumentsController(Controller):
    path = "/api/v1/content/documents"
    tags = ("content",)

    @get(
        operation_id="list_documents",
        summary="List the documents in the index",
        opt={"errors": (InvalidCursor,)},
    )
    async def list_all(
        self,
        indexed_documents: UseCase,
        origin: Annotated[str | None, QueryParameter(description="Only of this origin.")] = None,
        limit: Limit = 100,
        offset: Offset = 0,
        cursor: Cursor = None,
    ) -> DocumentListResponse:
        """By id, each in its current version. With `cursor` a page begins behind the one before, whatever comes meanwhile."""
        page, total = await indexed_documents.list(
            origin=origin, limit=limit + 1, offset=offset, after=document_behind(cursor)
        )
        return document_list_response(page, total=total, limit=limit, offset=offset)

    @get(
        "/{document_id:str}",
        operation_id="get_document",
        summary="Read what is known of a document",
        opt={"errors": (DocumentNotFound,)},
    )
    async def read(self, indexed_documents: UseCase, document_id: DocumentId) -> DocumentResponse:
        """Its version, where it came from, which execution indexed it, and where its text is stored."""
        return document_response(await indexed_documents.get(document_id))

    @get(
        "/{document_id:str}/text",
        operation_id="get_document_text",
        summary="Read a document's text",
        opt={
            "errors": (DocumentNotFound, DocumentTextNotKept, RangeNotSatisfiable),
            "answer": _TEXT,
            "answers": PART_ANSWERS,
            "parameters": RANGE_PARAMETERS,
        },
    )
    async def text(
        self, indexed_documents: UseCase, document_id: DocumentId, request: JsonRequest
    ) -> ByteStream:
        """The stored Markdown into which the offsets of segments and citations point."""
        return object_answer(await indexed_documents.text(document_id), indexed_documents.stream, request)

    @get(
        "/{document_id:str}/segments",
        operation_id="list_document_segments",
        summary="List a document's segments",
        opt={"errors": (DocumentNotFound,)},
    )
    async def segments(
        self,
        indexed_documents: UseCase,
        document_id: DocumentId,
        limit: Limit = 100,
        offset: Offset = 0,
    ) -> DocumentSegmentListResponse:
        """As they follow each other in it: what search finds and answers cite."""
        page, total = await indexed_documents.segments(document_id, limit=limit, offset=offset)
        return segment_list_response(document_id, page, total=total, limit=limit, offset=offset)

    @delete(
        "/{document_id:str}",
        operation_id="delete_document",
        summary="Take a document out of the index",
        opt={"errors": (DocumentNotFound,)},
    )
    async def remove(self, indexed_documents: UseCase, document_id: DocumentId) -> None:
        """With its segments and embeddings, at once. What its execution kept in storage stays."""
        await indexed_documents.delete(document_id)
