"""The pipeline adapter ``markdown_storage_writer``: keeps a document's text in storage and passes on its key."""

from __future__ import annotations

import msgspec

from adapters.pipeline.document_payload import MarkdownPayload, document_fields, read_payload
from adapters.pipeline.example_payloads import A_FILE
from adapters.pipeline.registry import Registration
from application.ports.pipeline_adapter import AdapterExample, AdapterResult, PipelineContext, Stage
from domain.json import JsonObject

MARKDOWN_STAGE = "markdown"
PAGES_STAGE = "pages"


class MarkdownStorageWriterConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Nothing can be set."""


class MarkdownStorageWriter:
    """Writes the stages ``markdown`` and, for a document with pages, ``pages`` (where each begins)."""

    async def process(self, context: PipelineContext) -> AdapterResult | None:
        """Replace the text by ``object_key``.

        Nothing else of the document is sent on: its sidecar has the rest. An earlier attempt may have kept the text of
        an earlier state of the file, and title and fingerprint must be of the same state.
        """
        payload = read_payload(context.message, MarkdownPayload)
        key = await context.stage.keep(
            MARKDOWN_STAGE,
            payload.markdown.encode(),
            extension=".md",
            content_type="text/markdown; charset=utf-8",
            metadata={**document_fields(payload), **await _pages(context.stage, payload)},
        )
        return AdapterResult(
            message={"document_id": payload.document_id, "object_key": key}, stage=MARKDOWN_STAGE
        )


async def _pages(stage: Stage, payload: MarkdownPayload) -> JsonObject:
    """A sidecar has little room on some stores, so the beginnings of pages are an object of their own."""
    if not payload.page_starts:
        return {}
    content = msgspec.json.encode(payload.page_starts)
    key = await stage.keep(PAGES_STAGE, content, extension=".json", content_type="application/json")
    return {"pages_key": key}


def registration() -> Registration:
    """How YAML names it and how it is built."""
    return Registration(
        type="markdown_storage_writer",
        description="Keeps a document's Markdown in storage and passes on its key.",
        version="1",
        config=MarkdownStorageWriterConfig,
        build=lambda _config: MarkdownStorageWriter(),
        example=AdapterExample(payload=A_FILE, before=("document_reader",)),
    )
