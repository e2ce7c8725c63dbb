"""Sidecars: what is known of an object beside its content, as a JSON file next to it."""

from __future__ import annotations

import json
import mimetypes
import os
from dataclasses import dataclass
from datetime import UTC, datetime

from domain.json import Json, JsonObject
from domain.storage import StoredObject

_FIELDS = {"key", "content_type", "size", "checksum", "metadata"}
_UNKNOWN_TYPE = "application/octet-stream"


@dataclass(frozen=True, slots=True, kw_only=True)
class Description:
    """What a writer says of an object; ``metadata`` is JSON text of an object."""

    key: str
    content_type: str
    metadata: str


def encode(description: Description, *, size: int, checksum: str) -> bytes:
    """The sidecar's content, one field a line."""
    key, content_type = (_text(text) for text in (description.key, description.content_type))
    lines = (
        f'  "key": {key}',
        f'  "content_type": {content_type}',
        f'  "size": {size}',
        f'  "checksum": "{checksum}"',
        f'  "metadata": {description.metadata}',
    )
    return ("{\n" + ",\n".join(lines) + "\n}\n").encode()


def stored(description: Description, status: os.stat_result, checksum: str) -> StoredObject:
    """The object as ``described`` will tell it from what was written."""
    return StoredObject(
        key=description.key,
        size=status.st_size,
        content_type=description.content_type,
        modified_at=datetime.fromtimestamp(status.st_mtime, UTC),
        checksum=checksum,
        metadata=json.loads(description.metadata),
    )


def key_in(content: bytes) -> str | None:
    """The key that a sidecar is about, None when it cannot be read."""
    key = _fields(content).get("key")
    return key if isinstance(key, str) else None


def described(key: str, status: os.stat_result, content: bytes | None) -> StoredObject:
    """The object as its file and its sidecar tell; without a readable sidecar the content type is guessed.

    A checksum that was taken of another size is left out: a crash came between the sidecar and the object. Fields that
    we do not know come with the metadata.
    """
    fields = _fields(content) if content is not None else {}
    content_type, checksum, metadata = (fields.get(name) for name in ("content_type", "checksum", "metadata"))
    is_current = fields.get("size") == status.st_size
    return StoredObject(
        key=key,
        size=status.st_size,
        content_type=content_type if isinstance(content_type, str) else guessed_type(key),
        modified_at=datetime.fromtimestamp(status.st_mtime, UTC),
        checksum=checksum if isinstance(checksum, str) and is_current else None,
        metadata=_unknown(fields) | (metadata if isinstance(metadata, dict) else {}),
    )


def guessed_type(key: str) -> str:
    """The content type that the key's ending suggests."""
    return mimetypes.guess_type(key, strict=False)[0] or _UNKNOWN_TYPE


def _fields(content: bytes) -> dict[str, Json]:
    try:
        fields = json.loads(content)
    except (ValueError, RecursionError):
        return {}
    return fields if isinstance(fields, dict) else {}


def _text(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


def _unknown(fields: JsonObject) -> dict[str, Json]:
    return {name: value for name, value in fields.items() if name not in _FIELDS}
