"""The pipeline adapter ``segment_publisher``: opens a document's version and emits its segments one by one."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Iterator

import msgspec

from adapters.pipeline.document_payload import SegmentedPayload, read_payload
from adapters.pipeline.registry import Registration
from application.ports.documents import Documents
from application.ports.pipeline_adapter import AdapterResult, Emission, PipelineContext
from domain.document import Document, segment_id
from domain.json import JsonObject

# From this many segments on they are emitted as they are made, to be committed in chunks.
STREAM_ABOVE = 256


class SegmentPublisherConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Nothing can be set."""


class SegmentPublisher:
    """Fans a document out into its segments."""

    def __init__(self, documents: Documents) -> None:
        self._documents = documents

    async def process(self, context: PipelineContext) -> AdapterResult | None:
        """Open the version that will hold the segments, then emit each; a second attempt finds the same version."""
        payload = read_payload(context.message, SegmentedPayload)
        document = await self._documents.begin(
            Document(
                document_id=payload.document_id,
                origin=payload.origin,
                title=payload.title,
                url=payload.url,
                fingerprint=payload.fingerprint,
                version=1,
                language=payload.language,
                execution_id=context.execution_id,
                object_key=payload.object_key,
                metadata={"format": payload.format},
            ),
            expected=len(payload.segments),
        )
        emissions = _emissions(document, payload)
        message: JsonObject = {
            "document_id": document.document_id,
            "version": document.version,
            "segments": len(payload.segments),
        }
        is_long = len(payload.segments) > STREAM_ABOVE
        return AdapterResult(message=message, emitted=_streamed(emissions) if is_long else list(emissions))


def _emissions(document: Document, payload: SegmentedPayload) -> Iterator[Emission]:
    about: JsonObject = {
        "id": document.document_id,
        "version": document.version,
        "title": document.title,
        "url": document.url,
        "language": document.language,
    }
    occurrences: Counter[str] = Counter()
    for segment in payload.segments:
        id_ = str(segment_id(document.document_id, segment.text, occurrences[segment.text]))
        occurrences[segment.text] += 1
        yield Emission(
            payload={"document": about, "segment": msgspec.to_builtins(segment), "segment_id": id_},
            key=f"{id_}:{document.version}",
        )


async def _streamed(emissions: Iterator[Emission]) -> AsyncIterator[Emission]:
    for emission in emissions:
        yield emission


def registration(documents: Documents) -> Registration:
    """How YAML names it and how it is built."""
    return Registration(
        type="segment_publisher",
        description="Opens a document's new version and emits a message for each of its segments.",
        version="1",
        config=SegmentPublisherConfig,
        build=lambda _config: SegmentPublisher(documents),
    )
