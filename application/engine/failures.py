"""What becomes of a message whose pipeline adapter failed."""

from __future__ import annotations

import traceback
from dataclasses import dataclass
from datetime import datetime, timedelta

from application.engine.panics import AdapterPanicked, text_of
from domain.backoff import MAX_DELAY_SECONDS, full_jitter
from domain.call_failure import classify_call_error, http_status
from domain.errors import FactflowError
from domain.json import JsonObject
from domain.message import Claim, Outcome
from domain.pipeline import ErrorHandling
from domain.verdict import Verdict, verdict_on

# An outage of what we depend on is asked after at this pace, doubling up to about a minute.
OUTAGE_BASE_SECONDS = 1.0
MOST_OUTAGE_DOUBLINGS = 6
TRACEBACK_LINES = 20
TRACEBACK_CHARACTERS = 16_000
MESSAGE_CHARACTERS = 2000


@dataclass(frozen=True, slots=True, kw_only=True)
class FailedStep:
    """The pipeline adapter that failed: its type, its place in the route from 0, and the stage it was working at."""

    adapter_name: str
    adapter_index: int
    stage_name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """How an attempt that failed settles, and why."""

    outcome: Outcome
    error: JsonObject
    not_before: datetime | None = None


def failure_of(
    error: Exception,
    claim: Claim,
    handling: ErrorHandling,
    *,
    now: datetime,
    randomness: float,
    at: FailedStep | None = None,
) -> Failure:
    """The failure for an error: a terminal one goes dead at once, an outage waits without using up retries.

    Its ``error`` is ``{"code", "message", "type", "attempts"}``, with ``adapter_name``, ``adapter_index`` and
    ``stage_name`` of the step, ``http_status`` where the error has one, and ``traceback`` unless it is one of ours.
    """
    told = {**described(error), "attempts": claim.attempt, **_place(at)}
    verdict = verdict_on(error)
    if verdict is Verdict.OUTAGE:
        doublings = min(claim.attempt, MOST_OUTAGE_DOUBLINGS)
        pause = full_jitter(OUTAGE_BASE_SECONDS, doublings, randomness)
        return Failure(outcome=Outcome.RELEASE, error=told, not_before=_due(now, pause, error))
    if verdict is Verdict.TERMINAL or claim.retries >= handling.max_retries:
        return Failure(outcome=Outcome.DEAD, error=told)
    pause = full_jitter(handling.retry_delay_seconds, claim.retries, randomness)
    return Failure(outcome=Outcome.RETRY, error=told, not_before=_due(now, pause, error))


def described(error: BaseException) -> JsonObject:
    """An error as JSON: ``code``, ``message``, ``type``, and a traceback when it is not one of ours.

    A group of one error is described as that one, a panic by the name of what was raised.
    """
    while isinstance(error, BaseExceptionGroup) and len(error.exceptions) == 1:
        error = error.exceptions[0]
    message, kind = _storable(text_of(error))[:MESSAGE_CHARACTERS], type(error).__name__
    if isinstance(error, FactflowError):
        return {"code": error.code, "message": message, "type": kind}
    if isinstance(error, AdapterPanicked):
        code, kind = error.code, type(error.raised).__name__
    else:
        code = "timeout" if isinstance(error, TimeoutError) else "pipeline_adapter_failed"
    status = http_status(error)
    return {
        "code": code,
        "message": message,
        "type": kind,
        **({} if status is None else {"http_status": status}),
        "traceback": _traceback(error),
    }


def _place(at: FailedStep | None) -> JsonObject:
    if at is None:
        return {}
    return {"adapter_name": at.adapter_name, "adapter_index": at.adapter_index, "stage_name": at.stage_name}


def _due(now: datetime, pause: float, error: Exception) -> datetime:
    """After the pause, and not before the moment that the service which failed has asked for."""
    asked = min(classify_call_error(error).retry_after or 0.0, MAX_DELAY_SECONDS)
    return now + timedelta(seconds=max(pause, asked))


def _traceback(error: BaseException) -> str:
    lines = traceback.format_exception(error)[-TRACEBACK_LINES:]
    return _storable("".join(lines))[-TRACEBACK_CHARACTERS:]


def _storable(text: str) -> str:
    return text.replace("\0", "\N{REPLACEMENT CHARACTER}").encode("utf-8", "replace").decode()
