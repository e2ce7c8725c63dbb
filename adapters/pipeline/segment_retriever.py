"""The pipeline adapter ``segment_retriever``: reads indexed segments, to be embedded into a further slot."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from uuid import UUID

import msgspec

from adapters.pipeline.example_payloads import INDEXED_SEGMENTS
from adapters.pipeline.registry import Registration
from adapters.pipeline.segment_payload import UnreadableSegmentMessage
from application.batcher import Batcher
from application.ports.pipeline_adapter import AdapterExample, AdapterResult, PipelineContext
from application.ports.segment_index import SegmentIndex
from domain.json import JsonObject
from domain.match import IndexedSegment

READ = 1000
"""Segments that are read at once."""


class SegmentRetrieverConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """There is nothing to set."""


class _Wanted(msgspec.Struct, frozen=True, kw_only=True):
    document_id: str
    segment_ids: tuple[UUID, ...]


class SegmentRetriever:
    """Reads the segments of messages in flight together."""

    def __init__(self, index: SegmentIndex) -> None:
        self._index = index
        self._batcher: Batcher[UUID, IndexedSegment | None] = Batcher(self._read, size=READ)

    async def process(self, context: PipelineContext) -> AdapterResult | None:
        """Add ``document`` and ``segments`` as they stand in the index; None when none of them is there any more."""
        try:
            wanted = msgspec.convert(context.message, _Wanted)
        except msgspec.ValidationError as error:
            raise UnreadableSegmentMessage(f"the message does not name segments: {error}") from error
        read = await self._batcher.submit_all(wanted.segment_ids)
        found = [one for one in read if one is not None and one.document.document_id == wanted.document_id]
        if not found:
            return None
        rest = {name: value for name, value in context.message.items() if name != "segment_ids"}
        return AdapterResult(message={**rest, **_fields(found)})

    async def _read(self, segment_ids: Sequence[UUID]) -> Sequence[IndexedSegment | None]:
        found: Mapping[UUID, IndexedSegment] = await self._index.fetch(segment_ids)
        return [found.get(segment_id) for segment_id in segment_ids]


def _fields(found: Sequence[IndexedSegment]) -> JsonObject:
    """The newest version's alone, should it have changed between two reads."""
    document = max((one.document for one in found), key=lambda one: one.version)
    return {
        "document": {
            "id": document.document_id,
            "version": document.version,
            "title": document.title,
            "url": document.url,
            "language": document.language,
        },
        "segments": [
            {
                "segment_id": str(one.id),
                "ordinal": one.segment.ordinal,
                "text": one.segment.text,
                "start": one.segment.start,
                "end": one.segment.end,
                "heading_path": list(one.segment.heading_path),
                "page": one.segment.page,
                "tokens": one.segment.tokens,
            }
            for one in found
            if one.document.version == document.version
        ],
    }


def registration(index: SegmentIndex) -> Registration:
    """How YAML names it and how it is built."""

    def build(_: SegmentRetrieverConfig) -> SegmentRetriever:
        return SegmentRetriever(index)

    return Registration(
        type="segment_retriever",
        description="Reads segments that are in the index, to be embedded into a further slot.",
        version="1",
        config=SegmentRetrieverConfig,
        build=build,
        example=AdapterExample(payload=INDEXED_SEGMENTS, after=("embedding_generator", "segment_writer")),
    )
