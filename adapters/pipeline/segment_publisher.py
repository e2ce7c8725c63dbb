"""The pipeline adapter ``segment_publisher``: opens a document's version and emits its segments."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from typing import Annotated

import msgspec

from adapters.pipeline.document_payload import SegmentedPayload, read_payload
from adapters.pipeline.example_payloads import AN_OBJECT
from adapters.pipeline.registry import Registration
from application.ports.documents import Documents
from application.ports.pipeline_adapter import AdapterExample, AdapterResult, Emission, PipelineContext
from domain.document import Document, Segment, segment_id
from domain.json import JsonObject

# From this many segments on they are emitted as they are made, to be committed in chunks.
STREAM_ABOVE = 256
# A message of several segments has so many characters of text at most.
MAX_CHARACTERS = 16_384


class SegmentPublisherConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``segments_per_message``: 1 for messages of a ``segment`` each, more for messages of so many ``segments`` at most."""

    segments_per_message: Annotated[int, msgspec.Meta(ge=1, le=64)] = 1


class SegmentPublisher:
    """Fans a document out into messages of its segments."""

    def __init__(self, config: SegmentPublisherConfig, documents: Documents) -> None:
        self._most = config.segments_per_message
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
        emissions = _emissions(document, payload, self._most)
        message: JsonObject = {
            "document_id": document.document_id,
            "version": document.version,
            "segments": len(payload.segments),
        }
        is_long = len(payload.segments) > STREAM_ABOVE
        return AdapterResult(message=message, emitted=_streamed(emissions) if is_long else list(emissions))


def _emissions(document: Document, payload: SegmentedPayload, most: int) -> Iterator[Emission]:
    about: JsonObject = {
        "id": document.document_id,
        "version": document.version,
        "title": document.title,
        "url": document.url,
        "language": document.language,
    }
    for group in _groups(_identified(document, payload.segments), most):
        (id_, first), *_ = group
        held: JsonObject = (
            {"segment": msgspec.to_builtins(first), "segment_id": id_}
            if most == 1
            else {"segments": [{**msgspec.to_builtins(one), "segment_id": id_} for id_, one in group]}
        )
        yield Emission(payload={"document": about, **held}, key=f"{id_}:{document.version}")


def _identified(document: Document, segments: Iterable[Segment]) -> Iterator[tuple[str, Segment]]:
    occurrences: Counter[str] = Counter()
    for segment in segments:
        yield str(segment_id(document.document_id, segment.text, occurrences[segment.text])), segment
        occurrences[segment.text] += 1


def _groups(identified: Iterable[tuple[str, Segment]], most: int) -> Iterator[Sequence[tuple[str, Segment]]]:
    """Segments in order, as many as a message may have without becoming large."""
    group: list[tuple[str, Segment]] = []
    characters = 0
    for id_, segment in identified:
        characters += len(segment.text)
        if group and (len(group) == most or characters > MAX_CHARACTERS):
            yield group
            group, characters = [], len(segment.text)
        group.append((id_, segment))
    if group:
        yield group


async def _streamed(emissions: Iterator[Emission]) -> AsyncIterator[Emission]:
    for emission in emissions:
        yield emission


def registration(documents: Documents) -> Registration:
    """How YAML names it and how it is built."""

    def build(config: SegmentPublisherConfig) -> SegmentPublisher:
        return SegmentPublisher(config, documents)

    return Registration(
        type="segment_publisher",
        description="Opens a document's new version and emits its segments, one or several a message.",
        version="1",
        config=SegmentPublisherConfig,
        build=build,
        example=AdapterExample(
            payload=AN_OBJECT,
            before=("storage_retriever", "smart_segmenter"),
            then=("embedding_generator", "segment_writer"),
        ),
    )
