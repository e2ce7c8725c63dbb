"""Names in URLs that may have slashes: such a name is the rest of the path, as it was encoded."""

from __future__ import annotations

from typing import Any
from urllib.parse import unquote_to_bytes

from adapters.http.errors import MalformedRequest, PathNotFound


def raw_path(scope: Any) -> bytes:
    """The path of a request before anything was decoded."""
    raw: bytes = scope.get("raw_path") or scope["path"].encode()
    return raw.partition(b"?")[0]


def name_after(prefix: bytes, scope: Any, *, suffix: bytes = b"") -> str:
    """What follows the prefix in the URL, up to the suffix; raises MalformedRequest unless it is UTF-8."""
    rest = raw_path(scope).partition(prefix)[2]
    if not rest:
        raise PathNotFound
    try:
        return unquote_to_bytes(rest.removesuffix(suffix)).decode("utf-8")
    except UnicodeDecodeError as error:
        raise MalformedRequest("the name in the URL is not UTF-8") from error
