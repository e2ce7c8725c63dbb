"""The payload of a message about one segment, from ``segment_publisher`` to ``segment_writer``."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TypeVar
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


class SegmentPayload(msgspec.Struct, frozen=True, kw_only=True):
    """A segment on its way to be embedded."""

    document: DocumentPart
    segment: SegmentPart
    segment_id: UUID


class EmbeddedSegmentPayload(SegmentPayload, frozen=True, kw_only=True):
    """A segment with its vector."""

    vector: list[float]
    model_name: str


Payload = TypeVar("Payload", bound=SegmentPayload)


def read_payload(message: JsonObject, kind: type[Payload]) -> Payload:
    """The message as its Struct, further fields left out; raises UnreadableSegmentMessage."""
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
