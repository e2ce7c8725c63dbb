"""Every error as a problem document (RFC 9457), and the one table from kinds of error to HTTP status."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from http import HTTPStatus
from math import ceil

import msgspec
from msgspec import UNSET, Struct, UnsetType

from adapters.http import errors
from adapters.http.correlation import REQUEST_ID
from adapters.http.wire.reports import FindingResponse, ValidationReportResponse, report_response
from domain.access.errors import NotAuthenticated, ScopeMissing, TooManyRequests
from domain.errors import Conflict, FactflowError, Invalid, NotFound, Refused, Unavailable
from domain.execution import StatusChangeNotAllowed, TooManyConcurrentExecutions
from domain.findings import ConfigNotRunnable, UnparseableConfig, ValidationReport
from domain.idempotency import IdempotencyInFlight, IdempotencyKeyReused
from domain.replay import ReplayRouteUnknown, ReplayStageUnknown
from domain.retrieval.vector_indexes import IndexExists, UnknownIndexSlot

MEDIA_TYPE = "application/problem+json"
RETRY_AFTER_SECONDS = 5
_REALM = 'Bearer realm="factflow"'

STATUS_BY_KIND: Mapping[type[FactflowError], int] = {
    errors.RequestNotValid: 422,
    IdempotencyKeyReused: 422,
    errors.MalformedRequest: 400,
    errors.BodyTooLarge: 413,
    errors.RequestTooSlow: 408,
    errors.MediaTypeNotSupported: 415,
    errors.MethodNotAllowed: 405,
    errors.RangeNotSatisfiable: 416,
    errors.PreconditionFailed: 412,
    StatusChangeNotAllowed: 400,  # the documented status of this operation
    IndexExists: 400,
    # What a body or a query names and is not there: the path that is asked for is.
    errors.UnknownConfig: 400,
    ReplayRouteUnknown: 400,
    ReplayStageUnknown: 400,
    UnknownIndexSlot: 400,
    TooManyConcurrentExecutions: 429,
    NotAuthenticated: 401,
    TooManyRequests: 429,
    Invalid: 400,
    NotFound: 404,
    Conflict: 409,
    Refused: 403,
    Unavailable: 503,
    FactflowError: 500,
}
"""The status of an error is that of its nearest class here."""


class FieldProblem(Struct, frozen=True, kw_only=True):
    """One field that is wrong: where (body, query, path, header), its path, and why."""

    location: str
    path: str
    message: str


class Problem(Struct, frozen=True, kw_only=True):
    """A problem document. `detail` is always a string; `errors` lists the fields that are wrong."""

    type: str
    title: str
    status: int
    detail: str
    error_code: str
    correlation_id: str
    timestamp: datetime
    instance: str | UnsetType = UNSET
    errors: list[FieldProblem] | UnsetType = UNSET


class NotRunnableProblem(Problem, frozen=True, kw_only=True):
    """The problem of a config that cannot run or be read: the report, and its members beside it for older clients."""

    validation_report: ValidationReportResponse
    is_valid: bool
    findings: list[FindingResponse]
    error_count: int
    warning_count: int


def status_of(error: type[FactflowError]) -> int:
    """The HTTP status of a class of errors."""
    return next(STATUS_BY_KIND[kind] for kind in error.__mro__ if kind in STATUS_BY_KIND)


def problem(error: FactflowError, *, instance: str | None = None) -> Problem:
    """The problem document of an error; `instance` is the path of the request."""
    status = status_of(type(error))
    fields = error.errors if isinstance(error, errors.RequestNotValid) else ()
    plain = Problem(
        type=f"urn:factflow:error:{error.code}",
        title=HTTPStatus(status).phrase,
        status=status,
        detail=error.message,
        error_code=error.code,
        correlation_id=REQUEST_ID.get(),
        timestamp=datetime.now(UTC),
        instance=UNSET if instance is None else instance,
        errors=[msgspec.convert(field, FieldProblem, from_attributes=True) for field in fields] or UNSET,
    )
    if isinstance(error, (ConfigNotRunnable, UnparseableConfig)):
        return _with_report(plain, error.report)
    return plain


def _with_report(plain: Problem, report: ValidationReport) -> NotRunnableProblem:
    response = report_response(report)
    return NotRunnableProblem(
        **msgspec.structs.asdict(plain), validation_report=response, **msgspec.structs.asdict(response)
    )


def headers_of(error: FactflowError) -> dict[str, str]:
    """The response headers that go with an error."""
    match error:
        case errors.MethodNotAllowed():
            return {"allow": error.allowed}
        case errors.RangeNotSatisfiable():
            return {"content-range": f"bytes */{error.size}"}
        case NotAuthenticated():
            return {"www-authenticate": _challenge(error)}
        case ScopeMissing():
            return {"www-authenticate": f'{_REALM}, error="insufficient_scope", scope="{error.scope}"'}
        case TooManyRequests():
            return {"retry-after": str(ceil(error.retry_after_seconds))}
        case TooManyConcurrentExecutions() | IdempotencyInFlight() | Unavailable():
            return {"retry-after": str(RETRY_AFTER_SECONDS)}
        case _:
            return {}


def _challenge(error: NotAuthenticated) -> str:
    """What RFC 6750, section 3, has a server say: nothing of an error to whoever has sent no key."""
    return _REALM if type(error) is NotAuthenticated else f'{_REALM}, error="invalid_token"'
