"""What is known of an object beside its content: one JSON text, in a header or in a sidecar object."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from domain.json import Json, JsonObject
from domain.storage import StoredObject

FIELD = "factflow"
"""The user metadata (``x-amz-meta-factflow``) that holds the JSON text."""
SIDECAR_FIELD = "factflow-sidecar"
"""The user metadata that names the sidecar which holds it instead."""

MAX_HEADER_BYTES = 1_900
"""S3 allows 2 KB of user metadata with their names."""

_FIELDS = {"key", "content_type", "size", "checksum", "modified_at", "metadata"}
_AFTER_SPACE = re.compile("(?<= ) ")


@dataclass(frozen=True, slots=True, kw_only=True)
class Description:
    """What a writer says of an object; ``metadata`` is JSON text of an object."""

    key: str
    content_type: str
    metadata: str

    def of(self, *, size: int, checksum: str, at: datetime) -> StoredObject:
        """The object as it will be told once it is stored."""
        return StoredObject(
            key=self.key,
            size=size,
            content_type=self.content_type,
            modified_at=at,
            checksum=checksum,
            metadata=json.loads(self.metadata),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What the server tells of an object. ``user`` are its user metadata, their names in lower case."""

    size: int
    content_type: str
    modified_at: datetime
    etag: str
    user: Mapping[str, str]

    @property
    def token(self) -> str | None:
        """What names the object's sidecar; None when it has none."""
        return self.user.get(SIDECAR_FIELD)


def header(stored: StoredObject) -> str | None:
    """The description as a header's value; None when it is too long for one.

    ASCII, without two spaces in a row, which signing would make one, and without ``=?``, which RFC 2047 would decode.
    """
    text = json.dumps(_fields_of(stored), separators=(",", ":"))
    text = _AFTER_SPACE.sub(r"\\u0020", text).replace("=?", r"=\u003f")
    return text if len(text) <= MAX_HEADER_BYTES else None


def sidecar(stored: StoredObject) -> bytes:
    """The description as a sidecar's content."""
    fields = {"key": stored.key, **_fields_of(stored)}
    return (json.dumps(fields, ensure_ascii=False, indent=2) + "\n").encode()


def described(key: str, facts: Facts, sidecar: bytes | None) -> StoredObject:
    """The object as its description tells, or without a readable one as the server does.

    A description of another size is of another content: then only its metadata are told. Fields and user metadata that
    we do not know come with the metadata.
    """
    fields = _parsed(sidecar if sidecar is not None else facts.user.get(FIELD, ""))
    is_current = fields.get("size") == facts.size
    content_type, checksum, metadata = (fields.get(name) for name in ("content_type", "checksum", "metadata"))
    foreign = {name: value for name, value in facts.user.items() if name not in {FIELD, SIDECAR_FIELD}}
    unknown = {name: value for name, value in fields.items() if name not in _FIELDS}
    return StoredObject(
        key=key,
        size=facts.size,
        content_type=content_type if is_current and isinstance(content_type, str) else facts.content_type,
        modified_at=(_moment(fields.get("modified_at")) if is_current else None) or facts.modified_at,
        checksum=checksum if is_current and isinstance(checksum, str) else None,
        metadata={**foreign, **unknown, **(metadata if isinstance(metadata, dict) else {})},
    )


def promised(facts: Facts, sidecar: bytes | None) -> tuple[int, str] | None:
    """Size and checksum of the content as its writer stated them; None when nobody did."""
    fields = _parsed(sidecar if sidecar is not None else facts.user.get(FIELD, ""))
    size, checksum = fields.get("size"), fields.get("checksum")
    return (size, checksum) if isinstance(size, int) and isinstance(checksum, str) else None


def _fields_of(stored: StoredObject) -> JsonObject:
    return {
        "content_type": stored.content_type,
        "size": stored.size,
        "checksum": stored.checksum,
        "modified_at": stored.modified_at.isoformat(),
        "metadata": stored.metadata,
    }


def _parsed(text: str | bytes) -> dict[str, Json]:
    try:
        fields = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return fields if isinstance(fields, dict) else {}


def _moment(text: Json) -> datetime | None:
    try:
        moment = datetime.fromisoformat(text) if isinstance(text, str) else None
    except ValueError:
        return None
    return moment.astimezone(UTC) if moment is not None and moment.tzinfo is not None else None
