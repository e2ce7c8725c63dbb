"""What a model's server says when it does not answer."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

import msgspec


class Failure(msgspec.Struct, frozen=True):
    """The body of a response that reports an error."""

    error: Any = None
    message: str | None = None
    detail: Any = None


def failure_text(content: bytes) -> str:
    """What a server says about its error, in one line of at most 300 characters."""
    try:
        failure = msgspec.json.decode(content, type=Failure)
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        return said(content.decode("utf-8", "replace"))
    return said(failure.error or failure.message or failure.detail or "")


def said(error: Any) -> str:
    """The message of an error object, in one line of at most 300 characters."""
    if isinstance(error, dict):
        error = error.get("message") or error.get("code") or error
    return " ".join(str(error).split())[:300]


def seconds_to_wait(retry_after: str | None, *, now: datetime | None = None) -> float | None:
    """A ``Retry-After`` header (RFC 9110, section 10.2.3) in seconds; None where there is none that can be read."""
    if not retry_after:
        return None
    try:
        seconds = float(retry_after)
    except ValueError:
        return _seconds_until(retry_after, now or datetime.now(UTC))
    return max(seconds, 0.0) if math.isfinite(seconds) else None


def _seconds_until(date: str, now: datetime) -> float | None:
    try:
        due = parsedate_to_datetime(date)
    except ValueError:
        return None
    return max((due.replace(tzinfo=due.tzinfo or UTC) - now).total_seconds(), 0.0)
