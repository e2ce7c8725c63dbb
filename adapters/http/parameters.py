"""What a handler takes from a request."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import lru_cache

from litestar.handlers import HTTPRouteHandler
from litestar.params import ParameterKwarg
from litestar.typing import FieldDefinition


@lru_cache(maxsize=1024)
def parameters_of(handler: HTTPRouteHandler) -> Mapping[str, FieldDefinition]:
    """The parameters of a handler by name; in the place of a dependency of ours, what that takes."""
    return dict(_parameters(handler))


def wire_name(name: str, field: FieldDefinition) -> str:
    """What a parameter of that name is called in a request."""
    definition = field.kwarg_definition
    return (definition.name if isinstance(definition, ParameterKwarg) else None) or name


def _parameters(handler: HTTPRouteHandler) -> Iterator[tuple[str, FieldDefinition]]:
    given = handler.resolve_dependencies()
    for name, field in handler.parsed_fn_signature.parameters.items():
        taken = given[name].parsed_fn_signature.parameters if name in given else {}
        if taken:
            yield from taken.items()
        else:
            yield name, field
