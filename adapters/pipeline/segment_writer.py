"""The pipeline adapter ``segment_writer``: puts embedded segments into the index."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Annotated

import msgspec

from adapters.pipeline.example_payloads import INDEXED_SEGMENTS
from adapters.pipeline.registry import Registration
from adapters.pipeline.segment_payload import (
    EmbeddedSegmentsPayload,
    read_embedded_segments,
    require_usable,
)
from application.batcher import Batcher
from application.embedding_models import EmbeddingModels
from application.ports.pipeline_adapter import AdapterExample, AdapterResult, PipelineContext
from application.ports.segment_index import SegmentIndex
from domain.document import EmbeddedSegment
from domain.json import JsonObject

# While segments keep coming it pays to write more of them in one transaction; a lone one is written at once.
PAUSE_SECONDS = 0.1


class SegmentWriterConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``batch_size``: how many segments of messages in flight are written in one transaction at most."""

    batch_size: Annotated[int, msgspec.Meta(ge=1, le=5000)] = 200


class SegmentWriter:
    """Indexes the segments of all messages in flight together, and emits nothing."""

    def __init__(self, config: SegmentWriterConfig, index: SegmentIndex, models: EmbeddingModels) -> None:
        self._index = index
        self._models = models
        self._batcher: Batcher[EmbeddedSegment, None] = Batcher(
            self._write, size=config.batch_size, pause=PAUSE_SECONDS
        )

    async def process(self, context: PipelineContext) -> AdapterResult | None:
        """Index the message's segments. A vector of a slot that has a model here must have its dimension."""
        payload = read_embedded_segments(context.message)
        model = self._models.by_name.get(payload.model_name)
        for vector in payload.vectors:
            require_usable(vector, len(vector) if model is None else model.dimension)
        await self._batcher.submit_all(_embedded_segments(payload, context))
        written: JsonObject = {"document_id": payload.document.id, "segments": len(payload.segments)}
        return AdapterResult(message=written, emitted=())

    async def _write(self, segments: Sequence[EmbeddedSegment]) -> Sequence[None]:
        await self._index.index(segments)
        return [None] * len(segments)


def _embedded_segments(
    payload: EmbeddedSegmentsPayload, context: PipelineContext
) -> Iterator[EmbeddedSegment]:
    for segment, vector in zip(payload.segments, payload.vectors, strict=True):
        yield EmbeddedSegment(
            id=segment.segment_id,
            document_id=payload.document.id,
            version=payload.document.version,
            segment=segment.segment(),
            model_name=payload.model_name,
            vector=vector,
            model_identity=payload.model_identity,
            execution_id=context.execution_id,
            lineage_id=context.correlation_id,
        )


def registration(index: SegmentIndex, models: EmbeddingModels) -> Registration:
    """How YAML names it and how it is built."""

    def build(config: SegmentWriterConfig) -> SegmentWriter:
        return SegmentWriter(config, index, models)

    return Registration(
        type="segment_writer",
        description="Puts embedded segments into the index, where search finds them.",
        version="1",
        config=SegmentWriterConfig,
        build=build,
        example=AdapterExample(payload=INDEXED_SEGMENTS, before=("segment_retriever", "embedding_generator")),
    )
