"""What can be wrong with a request before any use-case sees it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from domain.errors import Conflict, Invalid, NotFound, Refused, Unavailable


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldError:
    """One field that is wrong; ``location`` is body, query, path or header, ``path`` as in ``sources[0].limit``."""

    location: str
    path: str
    message: str


class RequestNotValid(Invalid):
    """Fields of the request are not valid."""

    code = "validation_failed"

    def __init__(self, errors: Sequence[FieldError] = (), message: str | None = None) -> None:
        super().__init__(message or _summary(errors))
        self.errors = tuple(errors)


class MalformedRequest(Invalid):
    """The request cannot be read."""

    code = "malformed_request"


class BodyTooLarge(Invalid):
    """The request's body is larger than the limit."""

    code = "body_too_large"


class RequestTooSlow(Invalid):
    """The rest of the request did not arrive in time."""

    code = "request_too_slow"


class AnswerTooSlow(Unavailable):
    """The request took longer than the server allows."""

    code = "answer_too_slow"


class MediaTypeNotSupported(Invalid):
    """The body must be JSON in UTF-8, sent as application/json."""

    code = "media_type_not_supported"


class MethodNotAllowed(Invalid):
    """That method is not allowed on this path."""

    code = "method_not_allowed"

    def __init__(self, message: str | None = None, *, allowed: str = "") -> None:
        super().__init__(message)
        self.allowed = allowed


class PathNotFound(NotFound):
    """There is nothing at that path."""

    code = "path_not_found"


class RangeNotSatisfiable(Invalid):
    """The object has no such range of bytes."""

    code = "range_not_satisfiable"

    def __init__(self, *, size: int) -> None:
        super().__init__(f"the object has {size} bytes, and the range asked for has none of them")
        self.size = size


class PreconditionFailed(Conflict):
    """What If-Match names is not the present version."""

    code = "precondition_failed"


class UnknownConfig(NotFound):
    """The request names a pipeline config that does not exist."""

    code = "unknown_config"


class UploadBrokenOff(Invalid):
    """The client went away before its upload was complete."""

    code = "upload_broken_off"


class HostNotAllowed(Refused):
    """The server has no authentication and answers requests to this machine's own names only."""

    code = "host_not_allowed"


class OriginNotAllowed(Refused):
    """Web pages of other origins may not change anything here."""

    code = "origin_not_allowed"


class NotReady(Unavailable):
    """The server is not ready to work."""

    code = "not_ready"


def _summary(errors: Sequence[FieldError]) -> str:
    if not errors:
        return "the request is not valid"
    first = errors[0]
    where = f"{first.location} field {first.path!r}" if first.path else first.location
    more = f" ({len(errors) - 1} more in `errors`)" if len(errors) > 1 else ""
    return f"{where}: {first.message}{more}"
