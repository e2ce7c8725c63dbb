"""What becomes of a message whose pipeline adapter failed."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest

from adapters.postgres.translation import ConcurrentChange
from application.engine.failures import FailedStep, described, failure_of
from domain.backoff import MAX_DELAY_SECONDS
from domain.call_failure import RateLimited
from domain.errors import Conflict, FactflowError, Invalid, NotFound, Refused, Unavailable
from domain.message import Claim, EmissionChanged, Message, Outcome
from domain.pipeline import ErrorHandling
from domain.verdict import Verdict, verdict_on

NOW = datetime(2026, 1, 1, tzinfo=UTC)
HANDLING = ErrorHandling(max_retries=3, retry_delay_seconds=10)


class Answered(Exception):
    """What an HTTP client raises."""

    def __init__(self, status: object, retry_after: object = None) -> None:
        super().__init__(f"HTTP {status}")
        self.status_code = status
        self.headers = {"Retry-After": retry_after}


class OfProcess(Exception):
    """Has a code that is no HTTP status."""

    code = 1


class Hostile(Exception):
    """Cannot be printed, nor looked at."""

    def __str__(self) -> str:
        raise RuntimeError("no")

    @property
    def status(self) -> int:
        raise RuntimeError("no")


def claim(*, attempt: int = 1, retries: int = 0) -> Claim:
    message = Message(id=uuid4(), execution_id=uuid4(), route_id="only", payload={})
    return Claim(message=message, token=uuid4(), attempt=attempt, retries=retries)


TABLE = [
    (Unavailable(), Verdict.OUTAGE),
    (RateLimited(), Verdict.OUTAGE),
    (Invalid(), Verdict.TERMINAL),
    (NotFound(), Verdict.TERMINAL),
    (Conflict(), Verdict.TERMINAL),
    (EmissionChanged(), Verdict.TERMINAL),
    (Refused(), Verdict.TERMINAL),
    (ConcurrentChange(), Verdict.RETRYABLE),
    (FactflowError(), Verdict.RETRYABLE),
    (TimeoutError(), Verdict.RETRYABLE),
    (ConnectionResetError(), Verdict.RETRYABLE),
    (OSError(28, "no space"), Verdict.RETRYABLE),
    (ValueError("odd"), Verdict.RETRYABLE),
    (MemoryError(), Verdict.RETRYABLE),
    (NotImplementedError(), Verdict.TERMINAL),
    (ModuleNotFoundError("torch"), Verdict.TERMINAL),
    (OfProcess(), Verdict.RETRYABLE),
    (Hostile(), Verdict.RETRYABLE),
    *((Answered(status), Verdict.TERMINAL) for status in (301, 400, 401, 403, 404, 410, 413, 422, 451)),
    *((Answered(status), Verdict.RETRYABLE) for status in (408, 409, 425, 500, 502, 503, 504)),
    *((Answered(status), Verdict.OUTAGE) for status in (429, 529)),
    (ExceptionGroup("several", [ValueError(), Invalid()]), Verdict.TERMINAL),
    (ExceptionGroup("several", [Unavailable(), ValueError()]), Verdict.RETRYABLE),
    (ExceptionGroup("several", [Unavailable(), ExceptionGroup("more", [RateLimited()])]), Verdict.OUTAGE),
]


@pytest.mark.parametrize(("error", "verdict"), TABLE, ids=lambda value: str(value)[:40] if isinstance(value, str) else type(value).__name__)  # fmt: skip
def test_every_kind_of_error_has_its_verdict(error: Exception, verdict: Verdict) -> None:
    """The table of the documentation."""
    assert verdict_on(error) is verdict


def test_a_terminal_error_is_dead_at_once() -> None:
    """Whatever retries are left."""
    failure = failure_of(Invalid("unreadable"), claim(), HANDLING, now=NOW, randomness=0.5)
    assert (failure.outcome, failure.not_before) == (Outcome.DEAD, None)
    assert failure.error == {"code": "invalid", "message": "unreadable", "type": "Invalid", "attempts": 1}


@pytest.mark.parametrize("retries", [0, 1, 2])
def test_a_retryable_error_waits_and_is_dead_when_no_retry_is_left(retries: int) -> None:
    """The ceiling of the pause doubles."""
    failure = failure_of(ValueError(), claim(retries=retries), HANDLING, now=NOW, randomness=0.5)
    assert failure.outcome is Outcome.RETRY
    assert failure.not_before == NOW + timedelta(seconds=5 * 2**retries)
    last = failure_of(ValueError(), claim(attempt=9, retries=3), HANDLING, now=NOW, randomness=0.5)
    assert (last.outcome, last.error["attempts"]) == (Outcome.DEAD, 9)


def test_an_outage_uses_up_no_retries_and_is_asked_after_every_minute_or_so() -> None:
    """However many attempts there have been, and though no retry is left."""
    failure = failure_of(Unavailable(), claim(attempt=400, retries=3), HANDLING, now=NOW, randomness=0.999)
    assert failure.outcome is Outcome.RELEASE
    assert failure.not_before is not None
    assert timedelta(seconds=60) < failure.not_before - NOW <= timedelta(seconds=64)


@pytest.mark.parametrize(("asked", "seconds"), [("120", 120.0), ("1e99", MAX_DELAY_SECONDS), ("soon", 0.0), (10**400, 0.0), (None, 0.0)])  # fmt: skip
def test_what_a_service_asks_to_wait_is_waited(asked: object, seconds: float) -> None:
    """Up to an hour; nonsense is ignored."""
    failure = failure_of(Answered(503, asked), claim(), HANDLING, now=NOW, randomness=0.0)
    assert failure.not_before == NOW + timedelta(seconds=seconds)
    assert failure.error["http_status"] == 503


def test_the_step_that_failed_is_told() -> None:
    """So that dead letters can be found by it."""
    step = FailedStep(adapter_name="web_scraper", adapter_index=1, stage_name="page")
    told = failure_of(Invalid(), claim(), HANDLING, now=NOW, randomness=0, at=step).error
    assert (told["adapter_name"], told["adapter_index"], told["stage_name"]) == ("web_scraper", 1, "page")


@pytest.mark.parametrize(
    "error",
    [
        Hostile(),
        ValueError("a\0b \ud800"),
        ValueError("x" * 5_000_000),
        RuntimeError(),
        ExceptionGroup("one", [ExceptionGroup("one", [KeyError("a")])]),
    ],
    ids=["hostile", "unstorable", "huge", "silent", "nested"],
)
def test_any_error_can_be_described_and_stored(error: Exception) -> None:
    """In bounded space, as JSON without what a database refuses."""
    told = described(error)
    text = json.dumps(told, ensure_ascii=False)
    text.encode()
    assert "\\u0000" not in text
    assert len(text) < 40_000
    assert told["message"]
    assert told["type"] != "ExceptionGroup"
