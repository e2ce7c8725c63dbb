"""What a handler takes from a request."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import lru_cache

from litestar.handlers import HTTPRouteHandler
from litestar.typing import FieldDefinition


@lru_cache(maxsize=1024)
def parameters_of(handler: HTTPRouteHandler) -> Mapping[str, FieldDefinition]:
    """The parameters of a handler by name; in the place of a dependency of ours, what that takes."""
    return dict(_parameters(handler))


def _parameters(handler: HTTPRouteHandler) -> Iterator[tuple[str, FieldDefinition]]:
    given = handler.resolve_dependencies()
    for name, field in handler.parsed_fn_signature.parameters.items():
        taken = given[name].parsed_fn_signature.parameters if name in given else {}
        if taken:
            yield from taken.items()
        else:
            yield name, field
