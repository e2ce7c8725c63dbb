"""What the statuses and failures of a language model's server mean to us."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import aiohttp

from domain.call_failure import CallFailure, CallFailureKind, classify_call_error
from domain.chat.errors import LanguageModelRefused, LanguageModelUnavailable


class TryAgain(LanguageModelUnavailable):
    """The language model's server is overloaded or failing."""

    def __init__(self, message: str, *, status: int | None = None, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.retry_after = retry_after


def classify(error: BaseException) -> CallFailure:
    """Only what says so is worth another attempt: an answer that cannot be read would come again."""
    if isinstance(error, TryAgain):
        return classify_call_error(error)
    return CallFailure(kind=CallFailureKind.TERMINAL)


@contextmanager
def translating(address: str) -> Iterator[None]:
    """Turn what aiohttp and the network raise into our errors, naming the address."""
    try:
        yield
    except aiohttp.ClientConnectorError as error:
        raise TryAgain(
            f"the language model at {address} cannot be reached: {error.strerror or error}"
        ) from error
    except TimeoutError as error:
        raise TryAgain(f"the language model at {address} did not answer in time") from error
    except aiohttp.InvalidURL as error:
        raise LanguageModelRefused(f"{address} is not the address of a language model") from error
    except (aiohttp.ClientError, OSError) as error:
        raise TryAgain(
            f"the connection to the language model at {address} broke: {type(error).__name__}"
        ) from error


def require_success(status: int, reason: str, *, address: str, model: str, retry_after: str | None) -> None:
    """Raise what a status other than 200 means; ``reason`` is what the server said about it."""
    if status == 200:
        return
    tail = f": {reason}" if reason else ""
    if status in {401, 403}:
        raise LanguageModelRefused(
            f"the language model at {address} refused the key ({status}); check the setting of its API key"
        )
    if status == 404:
        raise LanguageModelRefused(f"there is no model {model!r} at {address} (404){tail}")
    if status in {408, 409, 425, 429} or status >= 500:
        raise TryAgain(
            f"the language model at {address} is not able to answer ({status}){tail}",
            status=status,
            retry_after=seconds_to_wait(retry_after),
        )
    raise LanguageModelRefused(f"the language model at {address} rejected the request ({status}){tail}")


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
