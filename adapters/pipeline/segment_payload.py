"""The payload of a message about one segment or several, from ``segment_publisher`` to ``segment_writer``."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Annotated, TypeVar
from uuid import UUID

import msgspec

from domain.document import Segment
from domain.errors import Invalid
from domain.json import JsonObject


class UnreadableSegmentMessage(Invalid):
    """The message does not hold a segment."""

    code = "segment_message_unreadable"


class UnusableVector(Invalid):
    """The vector has the wrong dimension or a number that is not finite."""

    code = "vector_unusable"


class DocumentPart(msgspec.Struct, frozen=True, kw_only=True):
    """Which version of which document the segment belongs to."""

    id: str
    version: int
    title: str = ""
    url: str = ""
    language: str = "en"


class SegmentPart(msgspec.Struct, frozen=True, kw_only=True):
    """The fields of a ``Segment``."""

    ordinal: int
    text: str
    start: int
    end: int
    heading_path: tuple[str, ...] = ()
    page: int | None = None
    tokens: int = 0

    def segment(self) -> Segment:
        """The same as a value of the domain."""
        return Segment(
            ordinal=self.ordinal,
            text=self.text,
            start=self.start,
            end=self.end,
            heading_path=self.heading_path,
            page=self.page,
            tokens=self.tokens,
        )


class IdentifiedSegment(SegmentPart, frozen=True, kw_only=True):
    """A segment with the id that it has in the index."""

    segment_id: UUID


class SegmentsPayload(msgspec.Struct, frozen=True, kw_only=True):
    """Segments of one document on their way to be embedded, for the slot ``model_name`` if it is said which."""

    document: DocumentPart
    model_name: str | None = None
    segments: Annotated[tuple[IdentifiedSegment, ...], msgspec.Meta(min_length=1)]


class EmbeddedSegmentsPayload(SegmentsPayload, frozen=True, kw_only=True):
    """Segments with their vectors, in the same order."""

    vectors: tuple[list[float], ...]
    model_name: str
    model_identity: str = ""


class SegmentPayload(msgspec.Struct, frozen=True, kw_only=True):
    """One segment on its way to be embedded."""

    document: DocumentPart
    model_name: str | None = None
    segment: SegmentPart
    segment_id: UUID

    @property
    def segments(self) -> tuple[IdentifiedSegment, ...]:
        """The segment as the only one of several."""
        return (IdentifiedSegment(**msgspec.structs.asdict(self.segment), segment_id=self.segment_id),)


class EmbeddedSegmentPayload(SegmentPayload, frozen=True, kw_only=True):
    """One segment with its vector."""

    vector: list[float]
    model_name: str
    model_identity: str = ""


Payload = TypeVar("Payload", bound=msgspec.Struct)


def read_segments(message: JsonObject) -> SegmentsPayload:
    """The segments of a message in either form; raises UnreadableSegmentMessage."""
    if "segments" in message:
        return _read(message, SegmentsPayload)
    one = _read(message, SegmentPayload)
    return SegmentsPayload(document=one.document, segments=one.segments, model_name=one.model_name)


def read_embedded_segments(message: JsonObject) -> EmbeddedSegmentsPayload:
    """The same with their vectors, one for each; raises UnreadableSegmentMessage."""
    if "segments" not in message:
        one = _read(message, EmbeddedSegmentPayload)
        return EmbeddedSegmentsPayload(
            document=one.document,
            segments=one.segments,
            vectors=(one.vector,),
            model_name=one.model_name,
            model_identity=one.model_identity,
        )
    several = _read(message, EmbeddedSegmentsPayload)
    if len(several.vectors) != len(several.segments):
        raise UnreadableSegmentMessage(
            f"the message has {len(several.segments)} segments and {len(several.vectors)} vectors"
        )
    return several


def _read(message: JsonObject, kind: type[Payload]) -> Payload:
    try:
        return msgspec.convert(message, kind)
    except msgspec.ValidationError as error:
        raise UnreadableSegmentMessage(f"the message does not hold a segment: {error}") from error


def require_usable(vector: Sequence[float], dimension: int) -> None:
    """Raise UnusableVector unless it has that many numbers, all finite."""
    if len(vector) != dimension:
        raise UnusableVector(f"a vector has {len(vector)} dimensions, the slot has {dimension}")
    # One number that is not finite makes the sum so too, and a sum is quicker than a look at each.
    if not math.isfinite(sum(vector)):
        raise UnusableVector("a vector has a number that is not finite")
