"""The pipeline adapter ``smart_segmenter``: cuts a document into segments that fit the embedding model."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import msgspec

from adapters.pipeline.document_payload import MarkdownPayload, document_fields, read_payload
from adapters.pipeline.example_payloads import AN_OBJECT
from adapters.pipeline.offloading import offloaded
from adapters.pipeline.registry import Registration
from application.ports.pipeline_adapter import AdapterExample, AdapterResult, PipelineContext
from application.ports.tokenizer import Tokenizer
from domain.document import ReadDocument, Segment
from domain.json import JsonObject
from domain.segmentation import segments

SEGMENTS_STAGE = "segments"
# Models that read thousands of tokens at once still find a passage best when it is a passage.
MAX_DEFAULT_TOKENS = 400
# What it costs to cut a character against what it costs to decode one.
SIZE_FACTOR = 16


class SmartSegmenterConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``max_tokens`` of a segment: what the embedding model reads, but not more than 400, unless given."""

    max_tokens: Annotated[int, msgspec.Meta(ge=8, le=100_000)] | None = None
    overlap_tokens: Annotated[int, msgspec.Meta(ge=0)] = 0

    def __post_init__(self) -> None:
        """Raise ValueError when the overlap is more than half a segment."""
        if self.max_tokens is not None and self.overlap_tokens > self.max_tokens // 2:
            raise ValueError("overlap_tokens is more than half of max_tokens")


class SmartSegmenter:
    """Cuts documents, those that take longer than a moment in threads of their own."""

    def __init__(self, config: SmartSegmenterConfig, tokenizer: Tokenizer) -> None:
        self._config = config
        self._tokenizer = tokenizer

    async def process(self, context: PipelineContext) -> AdapterResult | None:
        """Replace ``markdown`` by ``segments``, also kept as a stage; a message that has segments passes as it is."""
        if "segments" in context.message:
            return AdapterResult(message=context.message)
        payload = read_payload(context.message, MarkdownPayload)
        content = await context.stage.kept(SEGMENTS_STAGE, extension=".json")
        if content is None:
            content = await offloaded(SIZE_FACTOR * len(payload.markdown), self._segmented, payload)
            await context.stage.keep(
                SEGMENTS_STAGE,
                content,
                extension=".json",
                content_type="application/json",
                metadata=document_fields(payload),
            )
        message: JsonObject = await offloaded(len(content), msgspec.json.decode, content)
        return AdapterResult(message=message, stage=SEGMENTS_STAGE)

    def _segmented(self, payload: MarkdownPayload) -> bytes:
        found = self._segments(payload)
        return msgspec.json.encode({**document_fields(payload), "segments": found})

    def _segments(self, payload: MarkdownPayload) -> Sequence[Segment]:
        most = self._config.max_tokens or min(self._tokenizer.limit, MAX_DEFAULT_TOKENS)
        read = ReadDocument(
            markdown=payload.markdown,
            title=payload.title,
            page_starts=payload.page_starts,
            metadata={"format": payload.format},
        )
        overlap = min(self._config.overlap_tokens, most // 2)
        return segments(read, self._tokenizer.offsets, max_tokens=most, overlap_tokens=overlap)


def registration(tokenizer: Tokenizer) -> Registration:
    """How YAML names it and how it is built."""

    def build(config: SmartSegmenterConfig) -> SmartSegmenter:
        return SmartSegmenter(config, tokenizer)

    return Registration(
        type="smart_segmenter",
        description="Cuts a document's Markdown into segments that fit the embedding model.",
        version="1",
        config=SmartSegmenterConfig,
        build=build,
        example=AdapterExample(
            payload=AN_OBJECT,
            before=("storage_retriever",),
            after=("segment_publisher",),
            then=("embedding_generator", "segment_writer"),
        ),
    )
