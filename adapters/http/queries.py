"""Looks at the query of a request before its values are read."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from litestar import Request
from litestar.params import QueryParameter
from litestar.typing import FieldDefinition

from adapters.http.access.operations import operation_of
from adapters.http.errors import FieldError, RequestNotValid
from adapters.http.parameters import parameters_of, wire_name


async def require_plain_query(request: Request[Any, Any, Any]) -> None:
    """Raise RequestNotValid for a parameter that is missing, that is given twice but has one value, or that is `null`.

    The second would be taken as its last value, and the third as if the parameter were left out. Where something is
    changed one that is not known is refused too: a filter that is misspelt would mean everything.
    """
    if found := [*_missing(request), *(_errors(request) if request.scope.get("query_string") else ())]:
        raise RequestNotValid(found)


def _missing(request: Request[Any, Any, Any]) -> Iterator[FieldError]:
    for name, field in _parameters(request):
        wire = wire_name(name, field)
        is_asked = isinstance(field.kwarg_definition, QueryParameter) and field.is_required
        if is_asked and wire not in request.query_params:
            yield FieldError(location="query", path=wire, message="this parameter is required")


def _errors(request: Request[Any, Any, Any]) -> Iterator[FieldError]:
    fields = {wire_name(name, field): field for name, field in _parameters(request)}
    for name in dict.fromkeys(request.query_params):
        field = fields.get(name)
        if field is None and operation_of(request.route_handler).changes:
            yield FieldError(location="query", path=name, message="there is no such parameter")
        if field is None or field.is_non_string_sequence:
            continue
        values = request.query_params.getall(name)
        if len(values) > 1:
            yield FieldError(location="query", path=name, message="it is given more than once")
        elif str(values[0]).lower() == "null" and not _takes_text(field):
            yield FieldError(
                location="query", path=name, message="`null` is no value; leave the parameter out"
            )


def _parameters(request: Request[Any, Any, Any]) -> Iterator[tuple[str, FieldDefinition]]:
    yield from parameters_of(request.route_handler).items()


def _takes_text(field: FieldDefinition) -> bool:
    return field.annotation is str or any(inner.annotation is str for inner in field.inner_types)
