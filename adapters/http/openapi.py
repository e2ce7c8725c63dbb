"""Describes the API as OpenAPI 3.1, from the handlers themselves: types, parameters, docstrings and the errors they name."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from http import HTTPStatus
from typing import Any, get_args
from uuid import UUID

import msgspec
from litestar import Litestar, Response
from litestar.handlers import HTTPRouteHandler
from litestar.params import HeaderParameter, ParameterKwarg, PathParameter
from litestar.routes import HTTPRoute
from litestar.typing import FieldDefinition

from adapters.http import errors
from adapters.http.access.describing import SCHEMES, access_errors, may_repeat, security_of
from adapters.http.examples import example_of
from adapters.http.parameters import parameters_of
from adapters.http.problems import MEDIA_TYPE, NotRunnableProblem, Problem, status_of
from domain.errors import FactflowError, Unavailable
from domain.findings import ConfigNotRunnable, UnparseableConfig
from domain.idempotency import (
    AnswerNotKept,
    IdempotencyInFlight,
    IdempotencyKeyReused,
    InvalidIdempotencyKey,
)

_REF = "#/components/schemas/{name}"
_METHODS = ("get", "post", "put", "patch", "delete")
_BODY_ERRORS = (
    errors.MalformedRequest,
    errors.RequestTooSlow,
    errors.BodyTooLarge,
    errors.MediaTypeNotSupported,
)


def openapi_document(app: Litestar, *, title: str, version: str) -> dict[str, Any]:
    """The whole description as JSON values."""
    operations = sorted(_operations(app), key=lambda operation: (operation[0], _METHODS.index(operation[1])))
    paths: dict[str, dict[str, Any]] = {}
    shapes: set[Any] = {Problem, NotRunnableProblem}
    for path, method, route, handler in operations:
        paths.setdefault(path, {})[method] = _operation(route, handler)
        shapes.update(shape for shape in (_body_type(handler), _answer_type(handler)) if shape is not None)
        shapes.update(handler.opt.get("shapes", ()))
    _, components = msgspec.json.schema_components(sorted(shapes, key=repr), ref_template=_REF)
    return {
        "openapi": "3.1.0",
        "info": {"title": title, "version": version, "description": _ABOUT},
        "servers": [{"url": "/"}],
        "tags": [
            {"name": tag} for tag in sorted({tag for *_, handler in operations for tag in tags_of(handler)})
        ],
        "paths": paths,
        "components": {"schemas": components, "securitySchemes": SCHEMES},
    }


_ABOUT = (
    "Documents in, cited answers out. Every error is a problem document (RFC 9457) with a stable `error_code`; "
    "`X-Request-Id` of the request, or one made for it, is in every answer and is the problem's `correlation_id`."
)


def _operations(app: Litestar) -> Iterator[tuple[str, str, HTTPRoute, HTTPRouteHandler]]:
    for route in app.routes:
        if isinstance(route, HTTPRoute):
            for handler in route.route_handlers:
                if handler.operation_id and isinstance(handler.operation_id, str):
                    path = handler.opt.get("path", route.path_format)
                    yield from ((path, method.lower(), route, handler) for method in handler.http_methods)


def tags_of(handler: HTTPRouteHandler) -> list[str]:
    """The tags of a handler, those of its controller among them."""
    return sorted(handler.resolve_tags())


def _operation(route: HTTPRoute, handler: HTTPRouteHandler) -> dict[str, Any]:
    parameters = [*_parameters(route, handler), *handler.opt.get("parameters", ())]
    parameters += [_IDEMPOTENCY_KEY] if may_repeat(handler) else []
    operation: dict[str, Any] = {
        "operationId": handler.operation_id,
        "summary": handler.summary,
        "description": _paragraphs(handler.fn.__doc__ or ""),
        "tags": tags_of(handler),
        "security": security_of(handler),
        "responses": {str(handler.status_code): _answer(handler)} | handler.opt.get("answers", {}),
    }
    if parameters:
        operation["parameters"] = parameters
    if (body := _body(handler)) is not None:
        operation["requestBody"] = body
    operation["responses"] |= _problems(_errors(handler, {item["in"] for item in parameters}))
    return operation


_IDEMPOTENCY_KEY = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": False,
    "description": "The request is done once, however often it is sent with this key: a repeat is told the same.",
    "schema": {"type": "string", "minLength": 1, "maxLength": 257},
    "example": "8e03978e-40d5-43dd-bc93-6894a57f9324",
}
_REPEAT_ERRORS = (InvalidIdempotencyKey, IdempotencyKeyReused, IdempotencyInFlight, AnswerNotKept)


def _errors(handler: HTTPRouteHandler, places: set[str]) -> list[type[FactflowError]]:
    """Every error with which the operation may answer; `places` are those of its parameters."""
    has_body = _body_type(handler) is not None
    found: list[type[FactflowError]] = [*handler.opt.get("errors", ())]
    if has_body:
        found += _BODY_ERRORS
    elif _body(handler) is not None:
        found.append(errors.RequestTooSlow)
    # A number in the path has bounds, and a text or an id has none: they name nothing, or are found.
    if has_body or places - {"path"} or any(field.annotation is int for field in _path_fields(handler)):
        found.append(errors.RequestNotValid)
    if any(field.annotation is UUID for field in _path_fields(handler)):
        found.append(errors.PathNotFound)
    found += [errors.MalformedRequest, errors.HostNotAllowed, *access_errors(handler)]
    if may_repeat(handler):
        found += _REPEAT_ERRORS
    if not handler.http_methods <= {"GET"}:
        found.append(errors.OriginNotAllowed)
    return [*dict.fromkeys([*found, FactflowError, Unavailable])]


def _path_fields(handler: HTTPRouteHandler) -> list[FieldDefinition]:
    fields = parameters_of(handler).values()
    return [field for field in fields if isinstance(field.kwarg_definition, PathParameter)]


def _problems(found: Iterable[type[FactflowError]]) -> dict[str, Any]:
    by_status: dict[int, list[type[FactflowError]]] = {}
    for error in found:
        by_status.setdefault(status_of(error), []).append(error)
    return {str(status): _problem_response(by_status[status], status) for status in sorted(by_status)}


def _problem_response(found: list[type[FactflowError]], status: int) -> dict[str, Any]:
    reports = any(issubclass(error, (ConfigNotRunnable, UnparseableConfig)) for error in found)
    schema: dict[str, Any] = _ref(Problem)
    if reports:
        schema = {"anyOf": [_ref(Problem), _ref(NotRunnableProblem)]}
    examples = {error.code: {"value": _problem_example(error, status)} for error in found}
    return {
        "description": "\n".join(f"- `{error.code}`: {first_line(error)}" for error in found),
        "content": {MEDIA_TYPE: {"schema": schema, "examples": examples}},
    }


def first_line(error: type[FactflowError]) -> str:
    """What an error says when nothing more is known: the first line of its docstring."""
    return (error.__doc__ or "").strip().splitlines()[0]


def _problem_example(error: type[FactflowError], status: int) -> dict[str, Any]:
    return {
        "type": f"urn:factflow:error:{error.code}",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": first_line(error),
        "error_code": error.code,
        "correlation_id": "b7ad6b7169203331",
        "timestamp": "2026-01-31T12:00:00Z",
    }


def _parameters(route: HTTPRoute, handler: HTTPRouteHandler) -> Iterator[dict[str, Any]]:
    for name, field in parameters_of(handler).items():
        if name in {"data", "request", "scope"} or field.is_di_field:
            continue
        yield _parameter(name, field, "path" if name in route.path_parameters else "query")
    for name in route.path_parameters:
        if name not in handler.parsed_fn_signature.parameters:
            description = handler.opt.get("key", "")
            yield {
                "name": name,
                "in": "path",
                "required": True,
                "description": description,
                "schema": {"type": "string"},
            }


def _parameter(name: str, field: FieldDefinition, place: str) -> dict[str, Any]:
    definition = field.kwarg_definition if isinstance(field.kwarg_definition, ParameterKwarg) else None
    schema = _schema_of_parameter(field, definition)
    if field.has_default and field.default is not None:
        schema["default"] = msgspec.to_builtins(field.default)
    return {
        "name": (definition.name if definition else None) or name,
        "in": "header" if isinstance(definition, HeaderParameter) else place,
        "required": place == "path" or not field.has_default,
        "description": (definition.description if definition else None) or "",
        "schema": schema,
    }


def _schema_of_parameter(field: FieldDefinition, definition: ParameterKwarg | None) -> dict[str, Any]:
    inner = [item.annotation for item in field.inner_types if not item.is_none_type]
    schemas, components = msgspec.json.schema_components(
        [inner[0] if field.is_optional else field.annotation]
    )
    schema = dict(schemas[0])
    if "$ref" in schema:
        schema = dict(components[str(schema["$ref"]).rpartition("/")[2]])
    bounds = {"minimum": definition.ge, "maximum": definition.le} if definition else {}
    return schema | {name: bound for name, bound in bounds.items() if bound is not None}


def _body_type(handler: HTTPRouteHandler) -> Any:
    field = handler.parsed_data_field
    if field is None:
        return None
    inner = [item.annotation for item in field.inner_types if not item.is_none_type]
    return inner[0] if field.is_optional else field.annotation


def _body(handler: HTTPRouteHandler) -> dict[str, Any] | None:
    kind = _body_type(handler)
    if kind is None:
        return handler.opt.get("body")
    content = {"schema": _ref(kind), "example": handler.opt.get("example", example_of(kind))}
    is_required = handler.parsed_data_field is not None and not handler.parsed_data_field.has_default
    return {"required": is_required, "content": {"application/json": content}}


def _answer_type(handler: HTTPRouteHandler) -> Any:
    kind = handler.parsed_fn_signature.return_type.annotation
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        return kind
    arguments = get_args(kind)
    if getattr(kind, "__origin__", None) is Response and isinstance(arguments[0], type):
        return arguments[0] if issubclass(arguments[0], msgspec.Struct) else None
    return None


def _answer(handler: HTTPRouteHandler) -> dict[str, Any]:
    kind = _answer_type(handler)
    if kind is not None:
        content = {"application/json": {"schema": _ref(kind), "example": example_of(kind)}}
        return {"description": first_sentence(kind), "content": content}
    answer: Mapping[str, Any] = handler.opt.get("answer", {"description": "Done; there is nothing to say."})
    return dict(answer)


def first_sentence(kind: type) -> str:
    """The first line of a shape's docstring."""
    return (kind.__doc__ or "").strip().splitlines()[0]


def _ref(kind: type) -> dict[str, Any]:
    return {"$ref": _REF.format(name=kind.__name__)}


def _paragraphs(text: str) -> str:
    return "\n".join(line.strip() for line in text.strip().splitlines())
