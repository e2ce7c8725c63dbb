"""Turns whatever a request runs into into one of our errors, and that into a problem document."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

import msgspec
from litestar import Request, Response
from litestar.exceptions import (
    ClientException,
    HTTPException,
    MethodNotAllowedException,
    NotFoundException,
    ValidationException,
)
from litestar.exceptions.http_exceptions import RequestEntityTooLarge
from litestar.params import ParameterKwarg
from litestar.types import HTTPScope

from adapters.http import errors
from adapters.http.access.exchange import exchange_of
from adapters.http.bodies import body_errors
from adapters.http.openai_errors import PATH as OPENAI
from adapters.http.openai_errors import openai_problem
from adapters.http.parameters import parameters_of
from adapters.http.problems import MEDIA_TYPE, Problem, headers_of, problem
from domain.errors import FactflowError

log = logging.getLogger(__name__)


def answer_with_problem(request: Request[Any, Any, Any], error: Exception) -> Response[Problem]:
    """The response for any exception; what is not foreseen is logged with the request's id and told as a plain 500."""
    ours = translated(request, error)
    exchange_of(request.scope).error_code = ours.code
    document = problem(ours, instance=request.scope["path"])
    if request.scope["path"].startswith(OPENAI):
        document = openai_problem(document)
    if document.status >= 500:
        log_failure(error if type(ours) is FactflowError else ours, request.scope)
    return Response(document, status_code=document.status, media_type=MEDIA_TYPE, headers=headers_of(ours))


def log_failure(error: BaseException, scope: HTTPScope) -> None:
    """Log what the server failed at: with the traceback when it is our fault, in a line when a dependency is away."""
    is_foreseen = isinstance(error, FactflowError)
    log.log(
        logging.WARNING if is_foreseen else logging.ERROR,
        "%s %s: %s",
        scope["method"],
        scope["path"],
        error,
        exc_info=None if is_foreseen else error,
    )


def translated(request: Request[Any, Any, Any], error: Exception) -> FactflowError:
    """The error of ours that says what Litestar's exception does; an unforeseen one is a bare FactflowError."""
    match error:
        case FactflowError():
            return error
        case ValidationException():
            return errors.RequestNotValid(_field_errors(request, error), _without_fields(error))
        case NotFoundException():
            return errors.PathNotFound()
        case MethodNotAllowedException():
            return errors.MethodNotAllowed(allowed=(error.headers or {}).get("allow", ""))
        case RequestEntityTooLarge():
            return errors.BodyTooLarge()
        case ClientException():
            return errors.MalformedRequest(error.detail)
        case HTTPException(detail="client disconnected prematurely"):
            return errors.UploadBrokenOff()
        case _:
            return FactflowError("something went wrong; the log has the details under this correlation id")


def _without_fields(error: ValidationException) -> str | None:
    return None if error.extra else error.detail


def _field_errors(request: Request[Any, Any, Any], error: ValidationException) -> list[errors.FieldError]:
    found: list[errors.FieldError] = []
    for item in error.extra if isinstance(error.extra, list) else ():
        if item.get("source") == "body" or item.get("key") == "data":
            found.extend(_errors_of_body(request, item))
        else:
            found.append(_error_of_parameter(request, item))
    return found


def _error_of_parameter(request: Request[Any, Any, Any], item: Mapping[str, Any]) -> errors.FieldError:
    """Litestar names the handler's argument; the client knows the parameter by its name on the wire."""
    name = item.get("key", "")
    field = parameters_of(request.route_handler).get(name)
    parameter = field.kwarg_definition if field else None
    if not isinstance(parameter, ParameterKwarg):
        return errors.FieldError(location="query", path=name, message=item["message"])
    return errors.FieldError(
        location=parameter.param_type.value, path=parameter.name or name, message=item["message"]
    )


def _errors_of_body(request: Request[Any, Any, Any], item: dict[str, Any]) -> list[errors.FieldError]:
    field = request.route_handler.parsed_data_field
    if field is None or (field.has_default and "json_body" not in request.state):
        return []  # Litestar counts a body that may be left out, and was, among the errors
    if "json_body" not in request.state:
        return [errors.FieldError(location="body", path="", message="a JSON body is required")]
    try:
        found = list(body_errors(field.annotation, request.state["json_body"]))
    except msgspec.MsgspecError:
        found = []
    return found or [errors.FieldError(location="body", path=item.get("key", ""), message=item["message"])]
