"""A delivery's life, by its rules alone."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from domain.webhooks.delivery import (
    Answer,
    Delivery,
    DeliveryNotPending,
    DeliveryPending,
    DeliveryState,
)
from domain.webhooks.endpoint_health import Care, DisableRules
from domain.webhooks.event import MAX_BODY_BYTES, WebhookEvent, body_of
from domain.webhooks.event_types import EVENT_TYPES
from domain.webhooks.filters import EventFilter
from domain.webhooks.outcome import Failure, Outcome, outcome_of
from domain.webhooks.pace import Pace
from domain.webhooks.schedule import LONGEST_RETRY_AFTER, RetrySchedule, retry_after_seconds
from domain.webhooks.secret import Secret
from domain.webhooks.subscription import InvalidSubscription, Subscription, UnknownEventType, require_known

NOW = datetime(2026, 1, 1, tzinfo=UTC)
SCHEDULE = RetrySchedule()
ANSWERS = st.one_of(
    st.builds(Answer, status=st.integers(100, 999)), st.builds(Answer, failure=st.sampled_from(Failure))
)


def delivery() -> Delivery:
    """One that is due."""
    return Delivery(
        id=uuid4(),
        subscription_id=uuid4(),
        event_id=uuid4(),
        event_type="execution.completed",
        occurred_at=NOW,
        due_at=NOW,
    )


class DeliveryLife(RuleBasedStateMachine):
    """Attempts, skips and redrives in any order, beside a model of three lines."""

    def __init__(self) -> None:
        super().__init__()
        self.delivery = delivery()
        self.now = NOW
        self.failures = 0

    @precondition(lambda self: self.delivery.state is DeliveryState.PENDING)
    @rule(answer=ANSWERS, chance=st.floats(0, 1, exclude_max=True), wish=st.none() | st.floats(0, 1e7))
    def attempt(self, answer: Answer, chance: float, wish: float | None) -> None:
        assert self.delivery.due_at is not None
        self.now = max(self.now, self.delivery.due_at)
        before = self.delivery
        self.delivery = before.attempted(
            answer, at=self.now, schedule=SCHEDULE, randomness=chance, retry_after=wish
        )
        if answer.outcome is Outcome.DELIVERED:
            assert self.delivery.state is DeliveryState.DELIVERED
            return
        self.failures += 1
        is_last = answer.outcome is not Outcome.RETRY or self.failures >= SCHEDULE.attempts
        assert self.delivery.state is (DeliveryState.DEAD if is_last else DeliveryState.PENDING)
        if not is_last:
            assert self.delivery.due_at is not None
            wait = (self.delivery.due_at - self.now).total_seconds()
            planned = SCHEDULE.delays[self.failures - 1]
            assert planned <= wait <= max(planned * 1.1, min(wish or 0, LONGEST_RETRY_AFTER)) + 1e-3

    @precondition(lambda self: self.delivery.state is DeliveryState.PENDING)
    @rule()
    def skip(self) -> None:
        self.delivery = self.delivery.skipped(at=self.now)

    @precondition(lambda self: self.delivery.state is DeliveryState.PENDING)
    @rule()
    def requeue_in_vain(self) -> None:
        with pytest.raises(DeliveryPending):
            self.delivery.requeued(at=self.now)

    @precondition(lambda self: self.delivery.state is not DeliveryState.PENDING)
    @rule(answer=ANSWERS)
    def attempt_in_vain(self, answer: Answer) -> None:
        with pytest.raises(DeliveryNotPending):
            self.delivery.attempted(answer, at=self.now, schedule=SCHEDULE, randomness=0)
        with pytest.raises(DeliveryNotPending):
            self.delivery.skipped(at=self.now)

    @precondition(lambda self: self.delivery.state is not DeliveryState.PENDING)
    @rule()
    def requeue(self) -> None:
        self.delivery = self.delivery.requeued(at=self.now)
        self.failures = 0

    @invariant()
    def it_is_either_due_or_settled(self) -> None:
        is_pending = self.delivery.state is DeliveryState.PENDING
        assert (self.delivery.due_at is not None) is is_pending
        assert (self.delivery.settled_at is None) is is_pending
        assert self.delivery.failures == self.failures <= SCHEDULE.attempts


test_a_deliverys_life = DeliveryLife.TestCase


@pytest.mark.parametrize(
    ("status", "outcome"),
    [
        (200, "delivered"), (204, "delivered"), (299, "delivered"), (301, "dead"), (302, "dead"), (307, "dead"),
        (308, "dead"), (400, "dead"), (401, "dead"), (404, "dead"), (408, "retry"), (409, "dead"), (410, "gone"),
        (425, "retry"), (429, "retry"), (500, "retry"), (502, "retry"), (503, "retry"), (504, "retry"), (599, "retry"),
        (100, "dead"), (999, "dead"),
    ],
)  # fmt: skip
def test_the_table_of_outcomes(status: int, outcome: str) -> None:
    """As docs/how-to/receive-webhooks.md has it."""
    assert outcome_of(status, None) == outcome


def test_what_has_no_answer_is_retried_unless_it_may_not_be_asked() -> None:
    """Networks come back; a refused address stays refused."""
    told = {failure: outcome_of(None, failure) for failure in Failure}
    assert {failure for failure, outcome in told.items() if outcome is Outcome.DEAD} == {
        Failure.DESTINATION_REFUSED
    }


def test_the_schedule_is_the_documented_one() -> None:
    """1 min, 5 min, 30 min, 2 h, 12 h; the sixth failure is the end."""
    waits = [SCHEDULE.delay(failures, randomness=0) for failures in range(1, 7)]
    assert waits == [60, 300, 1800, 7200, 43_200, None]


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("120", 120), (" 0 ", 0), ("Thu, 01 Jan 2026 00:01:00 GMT", 60), ("Wed, 31 Dec 2025 00:00:00 GMT", 0),
        (None, None), ("", None), ("soon", None), ("-1", None), ("1.5", None), ("٣", None), ("9" * 40, 1e40),
        ("Mon, 01 Jan 99999999999 00:00:00 GMT", None), ("Mon, 01 Jan 2026 00:00:00 +99999999999999999", None),
    ],
)  # fmt: skip
def test_retry_after_is_seconds_or_a_date(header: str | None, seconds: float | None) -> None:
    """Anything else asks for nothing."""
    assert retry_after_seconds(header, NOW) == seconds


@given(st.text(max_size=60) | st.from_regex(r"Thu, \d+ Jan \d+ \d+:\d+:\d+ [+-]\d+"))
def test_whatever_retry_after_says_is_bounded(header: str) -> None:
    """Seconds that can be waited for, or nothing."""
    asked = retry_after_seconds(header, NOW)
    wait = SCHEDULE.delay(1, randomness=0, retry_after=asked)
    assert wait is not None
    assert 60 <= wait <= LONGEST_RETRY_AFTER


@given(st.dictionaries(st.text(max_size=10), st.text(max_size=9000), max_size=8))
def test_a_body_is_always_small(data: dict[str, str]) -> None:
    """However much there is to tell; and the same bytes every time."""
    event = WebhookEvent(id=uuid4(), type="execution.failed", occurred_at=NOW, data=data)
    body = body_of(event)
    assert len(body) < MAX_BODY_BYTES
    assert body == body_of(replace(event))
    assert json.loads(body)["timestamp"] == "2026-01-01T00:00:00Z"


def test_examples_have_what_their_schemas_ask_for() -> None:
    """And nothing else."""
    for name, event_type in EVENT_TYPES.items():
        schema: dict[str, Any] = dict(event_type.schema)
        wanted = schema["properties"]["data"]
        data = event_type.example["data"]
        assert isinstance(data, dict)
        assert event_type.example["type"] == name
        assert set(wanted["required"]) <= set(data) <= set(wanted["properties"])


@given(st.tuples(*[st.none() | st.integers(0, 1)] * 4), st.tuples(*[st.none() | st.integers(0, 1)] * 4))
def test_all_of_a_filter_must_hold(wanted: tuple[int | None, ...], given: tuple[int | None, ...]) -> None:
    """None in it restricts nothing; None in the event meets nothing."""
    ids = [uuid4(), uuid4()]

    def values(numbers: tuple[int | None, ...]) -> dict[str, object]:
        config, execution, route, adapter = (None if one is None else ids[one] for one in numbers)
        return {
            "config_id": config,
            "execution_id": execution,
            "route_id": route and str(route),
            "adapter_name": adapter and str(adapter),
        }

    event = WebhookEvent(id=uuid4(), type="t", occurred_at=NOW, **values(given))  # type: ignore[arg-type]
    holds = EventFilter(**values(wanted)).holds(event)  # type: ignore[arg-type]
    assert holds == all(one in {None, other} for one, other in zip(wanted, given, strict=True))


def test_an_endpoint_is_warned_of_before_it_is_disabled() -> None:
    """Even when nobody looked for a week."""
    rules = DisableRules(warn_after=10, disable_after=20)
    later = NOW + timedelta(days=7)
    assert rules.care(NOW, None, now=NOW + timedelta(seconds=9)) is Care.NOTHING
    assert rules.care(NOW, None, now=later) is Care.WARN
    assert rules.care(NOW, NOW + timedelta(seconds=10), now=later) is Care.DISABLE
    assert rules.care(NOW, later, now=later + timedelta(seconds=9)) is Care.NOTHING
    assert rules.care(NOW, later, now=later + timedelta(seconds=10)) is Care.DISABLE
    assert rules.care(NOW, NOW, now=NOW + timedelta(seconds=19)) is Care.NOTHING


@given(rate=st.floats(0.1, 100), gaps=st.lists(st.floats(0, 5), max_size=30))
def test_a_pace_is_kept(rate: float, gaps: list[float]) -> None:
    """Whoever takes all there is gets the rate, and a second's worth more at the most."""
    now, taken = 0.0, 0
    pace = Pace.of(rate, now)
    for gap in gaps:
        now += gap
        room = pace.room(now)
        pace = pace.taken(room, now)
        taken += room
        assert taken <= rate * now + max(1.0, rate) + 1e-6
        assert pace.room(now + pace.waits(now) + 1e-6) >= 1


def subscription(**fields: object) -> Subscription:
    """One to everything that is usual."""
    given = {
        "url": "https://example.org",
        "event_types": ("execution.failed",),
        "secrets": (Secret(text="s"),),
    }
    values = {"id": uuid4(), "created_at": NOW, "updated_at": NOW, **given, **fields}
    return Subscription(**values)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "fields",
    [
        {"event_types": ()},
        {"event_types": ("execution.failed", "execution.failed")},
        {"timeout_seconds": 0.5},
        {"timeout_seconds": 31.0},
        {"requests_per_second": 0.0},
        {"headers": {"Host": "example.org"}},
        {"headers": {"Webhook-Id": "1"}},
        {"headers": {"X-Factflow-Signature": "1"}},
        {"headers": {"X": "a\r\nY: b"}},
        {"headers": {"X": " a"}},
        {"headers": {"X y": "a"}},
        {"headers": {"X": "1", "x": "2"}},
        {"headers": {f"x-{number}": "" for number in range(21)}},
        {"description": "x" * 501},
    ],
)
def test_a_subscription_that_cannot_be_is_refused(fields: dict[str, object]) -> None:
    """With a reason of its own."""
    with pytest.raises(InvalidSubscription):
        subscription(**fields)


def test_an_unknown_event_type_is_named() -> None:
    """With those that there are."""
    with pytest.raises(UnknownEventType, match=r"execution\.completed"):
        require_known(("execution.failed", "execution.exploded"))


def test_a_subscription_never_has_no_secret_to_sign_with() -> None:
    """Nor shows one or a header in its text."""
    one = subscription(headers={"Authorization": "Bearer t0ken"})
    assert one.valid_secrets(NOW) == ["s"]
    assert "t0ken" not in repr(one)
    twice = one.disabled("gone", at=NOW).disabled("again", at=NOW)
    assert (twice.version, twice.disabled_reason) == (2, "gone")
    assert twice.enabled(at=NOW).enabled(at=NOW).version == 3
