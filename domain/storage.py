"""Stored objects and their keys."""

from __future__ import annotations

import json
import re
import unicodedata
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from domain.errors import Invalid, NotFound
from domain.json import JsonObject

MAX_KEY_BYTES = 1024
MAX_PART_BYTES = 200
MAX_CONTENT_TYPE_LENGTH = 255
SIDECAR_SUFFIX = ".meta.json"
UPLOAD_ID = "upload_id"

_CONTROL_OR_BACKSLASH = re.compile(r"[\x00-\x1f\x7f-\x9f\\]")


class ObjectNotFound(NotFound):
    """There is no stored object with that key."""

    code = "object_not_found"


class InvalidKey(Invalid):
    """The storage key is not allowed."""

    code = "invalid_storage_key"


class InvalidObjectDescription(Invalid):
    """The object's content type or metadata cannot be stored."""

    code = "invalid_object_description"


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredObject:
    """What is known of an object without reading it: its sidecar and its size in bytes.

    ``checksum`` is the hex SHA-256 of the content. ``metadata`` keeps fields it does not know.
    """

    key: str
    size: int
    content_type: str
    modified_at: datetime
    checksum: str | None = None
    metadata: JsonObject = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Upload:
    """An upload that has begun; the object that it stores has its id among its metadata, so that it can be told apart."""

    id: UUID
    key: str
    begun_at: datetime

    @property
    def mark(self) -> JsonObject:
        """What the object's metadata have of it."""
        return {UPLOAD_ID: str(self.id)}

    def has_stored(self, stored: StoredObject) -> bool:
        """Whether an object is the one that this upload stores."""
        return stored.metadata.get(UPLOAD_ID) == str(self.id)


@dataclass(frozen=True, slots=True, kw_only=True)
class StageObject:
    """An object that a pipeline adapter's handling of a message has kept, or has found kept by an earlier attempt."""

    stored: StoredObject
    execution_id: UUID
    route_id: str
    stage: str
    message_id: UUID
    adapter_name: str
    correlation_id: UUID


def require_valid_key(key: str) -> str:
    """The key itself, or InvalidKey with the reason. Every backend refuses the same keys.

    A key is parts joined by ``/``; no part is empty, ``.`` or ``..``, has control characters or a backslash, is longer
    than 200 bytes or ends like a sidecar; the whole is in Unicode NFC and at most 1,024 bytes.
    """
    reason = _objection(key)
    if reason is not None:
        raise InvalidKey(f"the storage key {key[:200]!r} is not allowed: {reason}")
    return key


def _objection(key: str) -> str | None:
    try:
        size = len(key.encode())
    except UnicodeEncodeError:
        return "it is not valid Unicode"
    if not key or size > MAX_KEY_BYTES:
        return f"it must have 1 to {MAX_KEY_BYTES} bytes"
    if not unicodedata.is_normalized("NFC", key):
        return "it is not in Unicode normal form C"
    if _CONTROL_OR_BACKSLASH.search(key):
        return "it has control characters or a backslash"
    if key.endswith(SIDECAR_SUFFIX):
        return f"the ending {SIDECAR_SUFFIX} is reserved for sidecars"
    return next((reason for part in key.split("/") if (reason := _objection_to_part(part))), None)


def _objection_to_part(part: str) -> str | None:
    if part in {"", ".", ".."}:
        return "a part is empty, '.' or '..'"
    if len(part.encode()) > MAX_PART_BYTES:
        return f"a part is longer than {MAX_PART_BYTES} bytes"
    return None


def metadata_text(content_type: str, metadata: JsonObject) -> str:
    """The metadata as JSON text, or InvalidObjectDescription. Every backend refuses the same descriptions.

    Refused are a content type that is empty, longer than 255 characters or not printable ASCII (it becomes a header),
    and metadata that is not an object of JSON values: no NaN, no infinity, no lone surrogates.
    """
    if not 1 <= len(content_type) <= MAX_CONTENT_TYPE_LENGTH or not (
        content_type.isascii() and content_type.isprintable()
    ):
        raise InvalidObjectDescription(f"the content type {content_type[:80]!r} is not allowed")
    try:
        text = json.dumps(dict(metadata), ensure_ascii=False, allow_nan=False, check_circular=True)
        text.encode()
    except (TypeError, ValueError, RecursionError) as error:
        raise InvalidObjectDescription(f"the metadata cannot be stored: {error}") from error
    return text


def stage_key(execution_id: UUID, route_id: str, stage: str, message_id: UUID, extension: str = "") -> str:
    """Where a stage keeps what it made of a message; ``extension`` comes with its dot."""
    return require_valid_key(f"executions/{execution_id}/{route_id}/{stage}/{message_id}{extension}")
