"""Storage keys in URLs: a key is the rest of the path, so what follows it needs care.

`…/storage/objects/{key}/metadata` cannot be told from the object `{key}/metadata` by its path alone. A literal slash
before `metadata` asks for the metadata; `%2Fmetadata` is part of the key.
"""

from __future__ import annotations

from typing import Any, cast

from litestar.types import HTTPScope

from adapters.http.url_names import name_after, raw_path

OBJECTS = b"/api/v1/storage/objects/"
METADATA_ROUTE = "/api/v1/storage/metadata-of"
_SUFFIX = b"/metadata"


def routed(scope: HTTPScope) -> HTTPScope:
    """The scope with the path of the metadata operation, when it is that which is asked for."""
    rest = raw_path(scope).partition(OBJECTS)[2]
    if not rest.endswith(_SUFFIX) or len(rest) == len(_SUFFIX):
        return scope
    path = f"{METADATA_ROUTE}/{scope['path'].partition(OBJECTS.decode())[2]}"
    return cast("HTTPScope", {**scope, "path": path})


def key_of(scope: Any, *, with_suffix: bool = False) -> str:
    """The key that the URL names, exactly as it was encoded; raises MalformedRequest unless it is UTF-8."""
    return name_after(OBJECTS, scope, suffix=_SUFFIX if with_suffix else b"")
