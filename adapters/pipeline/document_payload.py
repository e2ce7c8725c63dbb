"""The payloads of messages about one document, from ``document_enumerator`` to ``segment_publisher``."""

from __future__ import annotations

import posixpath
from collections.abc import Sequence
from typing import TypeVar

import msgspec

from domain.document import Segment
from domain.errors import Invalid
from domain.json import JsonObject


class UnreadableDocumentMessage(Invalid):
    """The message does not hold what this pipeline adapter needs of a document."""

    code = "document_message_unreadable"


class FilePayload(msgspec.Struct, frozen=True, kw_only=True):
    """A file to be read, in a folder (``path``) or in storage (``object_key``), or one that is gone (``removed``).

    ``name`` is the path below the origin, ``size`` its bytes when it was found. ``problem`` says why it cannot be read,
    when that is known already. ``read_as`` is what a name of its format ends with, where the name does not tell.
    """

    document_id: str
    origin: str = ""
    name: str = ""
    size: int | None = None
    path: str | None = None
    object_key: str | None = None
    removed: bool = False
    problem: str | None = None
    read_as: str | None = None


class DocumentPayload(msgspec.Struct, frozen=True, kw_only=True):
    """A document that was read."""

    document_id: str
    fingerprint: str
    origin: str = ""
    title: str = ""
    url: str = ""
    language: str = "en"
    format: str = "text"
    object_key: str | None = None


class MarkdownPayload(DocumentPayload, frozen=True, kw_only=True):
    """A document with its text."""

    markdown: str
    page_starts: tuple[int, ...] = ()


class SegmentedPayload(DocumentPayload, frozen=True, kw_only=True):
    """A document with its segments, in order."""

    segments: Sequence[Segment]


Payload = TypeVar("Payload", bound=msgspec.Struct)


def read_payload(message: JsonObject, kind: type[Payload]) -> Payload:
    """The message as its Struct, further fields left out; raises UnreadableDocumentMessage."""
    try:
        return msgspec.convert(message, kind)
    except msgspec.ValidationError as error:
        raise UnreadableDocumentMessage(f"the message does not fit: {error}") from error


def document_fields(payload: DocumentPayload) -> JsonObject:
    """What every message about a document says of it, and what the sidecars of its stages keep."""
    names = DocumentPayload.__struct_fields__
    return {name: value for name in names if (value := getattr(payload, name)) is not None}


def name_as_title(name: str) -> str:
    """What to call a document that has no title: its file's name without the ending."""
    return posixpath.splitext(posixpath.basename(name))[0] or name
