"""What the API's description says of keys and scopes."""

from __future__ import annotations

from typing import Any

from litestar.handlers import HTTPRouteHandler

from adapters.http.access.operations import operation_of
from domain.access.errors import (
    ApiKeyExpired,
    ApiKeyNotValid,
    ApiKeyRevoked,
    NotAuthenticated,
    ScopeMissing,
    TooManyRequests,
)
from domain.errors import FactflowError

SCHEME = "api_key"
SCHEMES: dict[str, Any] = {
    SCHEME: {
        "type": "http",
        "scheme": "bearer",
        "bearerFormat": "ff_<environment>_<random>_<crc>",
        "description": "An API key. A server that runs without authentication, on loopback only, asks for none.",
    }
}


def security_of(handler: HTTPRouteHandler) -> list[dict[str, list[str]]]:
    """The scope that a handler's operation needs; nothing for a public one."""
    operation = operation_of(handler)
    if operation.is_public:
        return []
    return [{SCHEME: [str(operation.scope)] if operation.scope else []}]


def may_repeat(handler: HTTPRouteHandler) -> bool:
    """Whether an operation takes an idempotency key: whatever is a POST and changes something."""
    return "POST" in handler.http_methods and operation_of(handler).changes


def access_errors(handler: HTTPRouteHandler) -> tuple[type[FactflowError], ...]:
    """What whoever asks may be refused with."""
    operation = operation_of(handler)
    if operation.is_public:
        return ()
    known = (NotAuthenticated, ApiKeyNotValid, ApiKeyExpired, ApiKeyRevoked, TooManyRequests)
    return known if operation.scope is None else (*known, ScopeMissing)


def without_keys(document: dict[str, Any]) -> dict[str, Any]:
    """The description of a server that asks nobody who they are: it refuses no key, as it looks at none."""
    components = {name: part for name, part in document["components"].items() if name != "securitySchemes"}
    paths = {
        path: {method: _open(operation) for method, operation in operations.items()}
        for path, operations in document["paths"].items()
    }
    return document | {"paths": paths, "components": components}


def _open(operation: dict[str, Any]) -> dict[str, Any]:
    responses = {status: answer for status, answer in operation["responses"].items() if status != "401"}
    return {name: part for name, part in operation.items() if name != "security"} | {"responses": responses}
