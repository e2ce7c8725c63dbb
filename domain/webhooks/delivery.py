"""A delivery: one event on its way to one subscription, over all its attempts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum
from uuid import UUID

from domain.errors import Conflict, Invalid, NotFound
from domain.values import quickly_made
from domain.webhooks.outcome import Failure, Outcome, is_throttling, outcome_of
from domain.webhooks.schedule import RetrySchedule

KEPT_BODY_BYTES = 16 * 1024
MAX_WANTED_CHARACTERS = 200


class DeliveryNotFound(NotFound):
    """There is no delivery with that id."""

    code = "delivery_not_found"


class DeliveryPending(Conflict):
    """The delivery is waiting to be sent already."""

    code = "delivery_pending"


class DeliveryNotPending(Conflict):
    """The delivery is not waiting to be sent."""

    code = "delivery_not_pending"


class InvalidDeliveryFilter(Invalid):
    """A filter's texts have 1 to 200 printable characters, and its moments have a time zone."""

    code = "invalid_delivery_filter"


class DeliveryState(StrEnum):
    """Where a delivery stands: ``skipped`` ones came, or were left over, while their subscription was disabled."""

    PENDING = "pending"
    DELIVERED = "delivered"
    DEAD = "dead"
    SKIPPED = "skipped"


@quickly_made
@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What came of one request: a status with headers and the beginning of a body, or why there was none."""

    status: int | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    is_truncated: bool = False
    failure: Failure | None = None
    detail: str | None = None

    @property
    def outcome(self) -> Outcome:
        """What it means for the delivery."""
        return outcome_of(self.status, self.failure)

    @property
    def is_throttling(self) -> bool:
        """Whether the receiver asks to be sent less for a while."""
        return is_throttling(self.status)


@quickly_made
@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One request of a delivery, as it is shown to people: without signatures and other secrets.

    ``number`` counts the times that the delivery was taken up; one whose process died before it could tell is missing.
    """

    delivery_id: UUID
    number: int
    started_at: datetime
    duration_ms: float
    request_headers: Mapping[str, str]
    answer: Answer


@quickly_made
@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """One event for one subscription. Its id is the same over all attempts, redrives and replays.

    ``attempts`` counts the times it was taken up, ``failures`` the failed attempts since it was last queued by hand.
    While pending it is due at ``due_at``. ``position`` tells which came first.
    """

    id: UUID
    subscription_id: UUID
    event_id: UUID
    event_type: str
    occurred_at: datetime
    state: DeliveryState = DeliveryState.PENDING
    due_at: datetime | None = None
    position: int = 0
    attempts: int = 0
    failures: int = 0
    last_status: int | None = None
    last_failure: Failure | None = None
    last_attempt_at: datetime | None = None
    settled_at: datetime | None = None

    def attempted(
        self,
        answer: Answer,
        *,
        at: datetime,
        schedule: RetrySchedule,
        randomness: float,
        retry_after: float | None = None,
    ) -> Delivery:
        """The delivery after an attempt that ended at a moment; raises DeliveryNotPending."""
        self._require_pending()
        is_delivered = answer.outcome is Outcome.DELIVERED
        failures = self.failures + (not is_delivered)
        wait = (
            schedule.delay(failures, randomness=randomness, retry_after=retry_after)
            if answer.outcome is Outcome.RETRY
            else None
        )
        ended = DeliveryState.DELIVERED if is_delivered else DeliveryState.DEAD
        # Each attempt comes by here, and `replace` takes twice as long.
        return Delivery(
            id=self.id,
            subscription_id=self.subscription_id,
            event_id=self.event_id,
            event_type=self.event_type,
            occurred_at=self.occurred_at,
            state=ended if wait is None else DeliveryState.PENDING,
            due_at=None if wait is None else at + timedelta(seconds=wait),
            position=self.position,
            attempts=self.attempts,
            failures=failures,
            last_status=answer.status,
            last_failure=answer.failure,
            last_attempt_at=at,
            settled_at=at if wait is None else None,
        )

    def skipped(self, *, at: datetime) -> Delivery:
        """The delivery once its subscription is disabled; raises DeliveryNotPending."""
        self._require_pending()
        return replace(self, state=DeliveryState.SKIPPED, due_at=None, settled_at=at)

    def requeued(self, *, at: datetime) -> Delivery:
        """The delivery, to be sent again at once with all its attempts; raises DeliveryPending."""
        if self.state is DeliveryState.PENDING:
            raise DeliveryPending
        return replace(self, state=DeliveryState.PENDING, due_at=at, failures=0, settled_at=None)

    def _require_pending(self) -> None:
        if self.state is not DeliveryState.PENDING:
            raise DeliveryNotPending(f"the delivery is {self.state}")


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryFilter:
    """Which deliveries are meant: those for which everything that is given holds; no states are all states.

    ``since`` and ``until`` bound the moment of the event (from, and up to but without); ``settled_before`` is
    exclusive. ``status`` and ``failure`` are those of the last attempt.
    """

    subscription_id: UUID | None = None
    delivery_id: UUID | None = None
    states: frozenset[DeliveryState] = frozenset()
    event_type: str | None = None
    status: int | None = None
    failure: Failure | None = None
    since: datetime | None = None
    until: datetime | None = None
    settled_before: datetime | None = None

    def __post_init__(self) -> None:
        text = self.event_type
        if text is not None and not (0 < len(text) <= MAX_WANTED_CHARACTERS and text.isprintable()):
            raise InvalidDeliveryFilter("event_type must have 1 to 200 printable characters")
        for name in ("since", "until", "settled_before"):
            moment = getattr(self, name)
            if moment is not None and moment.tzinfo is None:
                raise InvalidDeliveryFilter(f"{name} must have a time zone")

    def holds(self, delivery: Delivery) -> bool:
        """Whether a delivery is among those meant."""
        wanted = (
            (self.subscription_id, delivery.subscription_id),
            (self.delivery_id, delivery.id),
            (self.event_type, delivery.event_type),
            (self.status, delivery.last_status),
            (self.failure, delivery.last_failure),
        )
        settled = delivery.settled_at
        return (
            all(one is None or one == other for one, other in wanted)
            and (not self.states or delivery.state in self.states)
            and (self.since is None or delivery.occurred_at >= self.since)
            and (self.until is None or delivery.occurred_at < self.until)
            and (self.settled_before is None or (settled is not None and settled < self.settled_before))
        )
