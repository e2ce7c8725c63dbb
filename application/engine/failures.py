"""What becomes of a message whose pipeline adapter failed."""

from __future__ import annotations

import traceback
from dataclasses import dataclass
from datetime import datetime, timedelta

from domain.backoff import full_jitter
from domain.errors import Conflict, FactflowError, Invalid, NotFound, Refused, Unavailable
from domain.json import JsonObject
from domain.message import Claim, Outcome
from domain.pipeline import ErrorHandling

TERMINAL = (Invalid, NotFound, Conflict, Refused)

# An outage of what we depend on is asked after at this pace, doubling up to the back-off's own cap.
OUTAGE_BASE_SECONDS = 1.0
TRACEBACK_LINES = 20
MESSAGE_CHARACTERS = 2000


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """How an attempt that failed settles, and why."""

    outcome: Outcome
    error: JsonObject
    not_before: datetime | None = None


def failure_of(
    error: Exception, claim: Claim, handling: ErrorHandling, *, now: datetime, randomness: float
) -> Failure:
    """The failure for an error: terminal kinds go dead at once, outages wait without using up retries."""
    told = described(error)
    if isinstance(error, Unavailable):
        pause = full_jitter(OUTAGE_BASE_SECONDS, claim.attempt, randomness)
        return Failure(outcome=Outcome.RELEASE, error=told, not_before=now + timedelta(seconds=pause))
    if isinstance(error, TERMINAL) or claim.retries >= handling.max_retries:
        return Failure(outcome=Outcome.DEAD, error={**told, "attempts": claim.attempt})
    pause = full_jitter(handling.retry_delay_seconds, claim.retries, randomness)
    return Failure(outcome=Outcome.RETRY, error=told, not_before=now + timedelta(seconds=pause))


def described(error: BaseException) -> JsonObject:
    """An error as JSON: ``code``, ``message``, ``type``, and a traceback when it is not one of ours."""
    message = _storable(str(error) or type(error).__name__)[:MESSAGE_CHARACTERS]
    if isinstance(error, FactflowError):
        return {"code": error.code, "message": message, "type": type(error).__name__}
    code = "timeout" if isinstance(error, TimeoutError) else "pipeline_adapter_failed"
    lines = traceback.format_exception(error)[-TRACEBACK_LINES:]
    return {
        "code": code,
        "message": message,
        "type": type(error).__name__,
        "traceback": _storable("".join(lines)),
    }


def _storable(text: str) -> str:
    return text.replace("\0", "\N{REPLACEMENT CHARACTER}").encode("utf-8", "replace").decode()
