"""Stored objects as answers: whole, in parts, or with the word that nothing has changed."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from email.utils import format_datetime
from typing import Any

from adapters.http.bodies import JsonRequest
from adapters.http.ranges import byte_range, etag_matches
from adapters.http.streaming import ByteStream
from domain.storage import StoredObject

RANGE_PARAMETERS: list[dict[str, Any]] = [
    {
        "name": name,
        "in": "header",
        "required": False,
        "description": description,
        "schema": {"type": "string"},
    }
    for name, description in {
        "Range": "One range of bytes, as in `bytes=0-499`.",
        "If-Range": "The range holds for this ETag only.",
        "If-None-Match": "ETags for which 304 will do.",
    }.items()
]
PART_ANSWERS = {
    "206": {
        "description": "The bytes asked for.",
        "content": {"*/*": {"schema": {"type": "string", "format": "binary"}, "example": "# Handbook"}},
    },
    "304": {"description": "It has not changed."},
}

Streamed = Callable[..., AsyncIterator[bytes]]


def object_answer(stored: StoredObject, stream: Streamed, request: JsonRequest, **more: str) -> ByteStream:
    """The object's bytes, or the part that the request wants; ``stream`` is given key, start and end.

    ``more`` are further headers, with ``_`` for ``-``. Raises RangeNotSatisfiable.
    """
    headers: Mapping[str, str] = object_headers(stored) | {
        name.replace("_", "-"): value for name, value in more.items()
    }
    if etag_matches(request.headers.get("if-none-match"), headers["etag"]):
        return ByteStream(None, status=304, headers=headers)
    if_range = request.headers.get("if-range")
    wanted = None
    if if_range is None or if_range == headers["etag"]:
        wanted = byte_range(request.headers.get("range"), stored.size)
    if wanted is None:
        chunks = stream(stored.key, end=stored.size)
        return ByteStream(chunks, status=200, headers={**headers, "content-length": str(stored.size)})
    part = {
        "content-range": f"bytes {wanted.start}-{wanted.end - 1}/{stored.size}",
        "content-length": str(wanted.length),
    }
    chunks = stream(stored.key, start=wanted.start, end=wanted.end)
    return ByteStream(chunks, status=206, headers={**headers, **part})


def object_headers(stored: StoredObject) -> dict[str, str]:
    """What goes with an object's bytes; as a page of a browser they may do nothing."""
    tag = stored.checksum or f"{stored.size:x}-{int(stored.modified_at.timestamp() * 1000):x}"
    return {
        "etag": f'"{tag}"',
        "content-type": stored.content_type,
        "last-modified": format_datetime(stored.modified_at, usegmt=True),
        "accept-ranges": "bytes",
        "content-security-policy": "sandbox; default-src 'none'",
    }
