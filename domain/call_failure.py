"""What the failure of a call to another service means for the next attempt."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from domain.errors import Unavailable

RATE_LIMITED_STATUSES = frozenset({429, 529})
"""Too Many Requests (RFC 6585), and the one that some model providers answer for themselves being overloaded."""
RETRYABLE_STATUSES = frozenset({408, 409, 425})
"""Statuses below 500 that a later attempt may not meet."""


class RateLimited(Unavailable):
    """The service asks for fewer calls."""

    code = "rate_limited"
    status = 429

    def __init__(self, message: str | None = None, *, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class CallFailureKind(StrEnum):
    """Worth another attempt, not worth one, or worth one with fewer calls at once."""

    RETRYABLE = "retryable"
    TERMINAL = "terminal"
    RATE_LIMITED = "rate_limited"


@dataclass(frozen=True, slots=True, kw_only=True)
class CallFailure:
    """``retry_after`` is the number of seconds that the service asked to wait, where it did."""

    kind: CallFailureKind
    retry_after: float | None = None


def classify_call_error(error: BaseException) -> CallFailure:
    """What kind of failure an error is.

    An error that carries an HTTP status, as the errors of HTTP clients do (``status``, ``status_code``, ``code``,
    or those of its ``response``), goes by that: 429 and 529 are rate-limited; 408, 409, 425 and everything from 500 on retryable;
    the rest terminal. Without one, Unavailable, time-outs and broken connections are retryable, all else terminal.
    """
    retry_after = _seconds(_of(error, "retry_after"))
    if retry_after is None:
        retry_after = _asked_for(_of(error, "headers"))
    return CallFailure(kind=_kind(error, http_status(error)), retry_after=retry_after)


def _kind(error: BaseException, status: int | None) -> CallFailureKind:
    if status is None:
        is_passing = isinstance(error, (Unavailable, TimeoutError, ConnectionError))
        return CallFailureKind.RETRYABLE if is_passing else CallFailureKind.TERMINAL
    if status in RATE_LIMITED_STATUSES:
        return CallFailureKind.RATE_LIMITED
    if status in RETRYABLE_STATUSES or status >= 500:
        return CallFailureKind.RETRYABLE
    return CallFailureKind.TERMINAL


def http_status(error: BaseException) -> int | None:
    """The HTTP status that an error carries, or its response; None when there is none."""
    for name in ("status", "status_code", "code"):
        status = _of(error, name)
        # Some errors have a code of another sort, such as that of a process or a socket.
        if isinstance(status, int) and 100 <= status <= 599:
            return int(status)
    return None


def _of(error: BaseException, name: str) -> object:
    """An attribute of the error, else of the response that it carries."""
    try:
        own: object = getattr(error, name, None)
        return own if own is not None else getattr(getattr(error, "response", None), name, None)
    except Exception:  # noqa: BLE001 (a property of somebody else's error may raise anything)
        return None


def _asked_for(headers: object) -> float | None:
    if not isinstance(headers, Mapping):
        return None
    return _seconds(headers.get("Retry-After") or headers.get("retry-after"))


def _seconds(value: object) -> float | None:
    """A number of seconds, also as text; None for a date, which needs a clock."""
    if not isinstance(value, (int, float, str)):
        return None
    try:
        seconds = float(value)
    except (ValueError, OverflowError):
        return None
    return max(seconds, 0.0) if math.isfinite(seconds) else None
