"""One endpoint as a worker sees it: what is out, what waits, and whether it may be asked now."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from application.ports.webhook_queue import ClaimedDelivery, Room
from domain.circuit_breaker import BreakerState, CircuitBreaker
from domain.webhooks.delivery import Answer
from domain.webhooks.endpoint_health import ENDPOINT_BREAKER
from domain.webhooks.outcome import Outcome
from domain.webhooks.pace import Pace
from domain.webhooks.subscription import Subscription

CONCURRENCY = 10
MOST_CLAIMED = 500
CLAIMED_SECONDS = 0.5
"""A worker takes up as much for an endpoint as that takes in for about so long: one question for many deliveries."""
_SMOOTHING = 0.2
LONGEST_REST = 3600.0
GONE_REST = 60.0
"""How long an endpoint that says it is gone is left alone at least: until then it should be disabled."""


class Waiting(NamedTuple):
    """A claim, and the moment by which its request must be sent."""

    claim: ClaimedDelivery
    until: float


@dataclass(slots=True, kw_only=True)
class Endpoint:
    """Moments are seconds of a clock that never goes back. ``seconds`` is how long a request takes, smoothed."""

    subscription: Subscription
    breaker: CircuitBreaker = field(default_factory=lambda: CircuitBreaker(rules=ENDPOINT_BREAKER))
    pace: Pace | None = None
    waiting: deque[Waiting] = field(default_factory=deque)
    in_flight: int = 0
    rests_until: float = 0.0
    seconds: float = 0.1

    def adopt(self, subscription: Subscription, now: float) -> None:
        """Take over a newer version of the subscription."""
        rate = subscription.requests_per_second
        if rate != (self.pace.per_second if self.pace else None):
            self.pace = None if rate is None else Pace.of(rate, now)
        if subscription.url != self.subscription.url:
            self.breaker, self.rests_until = CircuitBreaker(rules=ENDPOINT_BREAKER), 0.0
        self.subscription = subscription

    def concurrency(self, share: int = CONCURRENCY) -> int:
        """How many requests may be out at once: ``share`` is what a worker that has much to do leaves to each endpoint."""
        is_single = self.subscription.is_ordered or self.breaker.state is not BreakerState.CLOSED
        return 1 if is_single else min(share, CONCURRENCY)

    def room(self, now: float) -> Room | None:
        """What may be taken up now, None for nothing. An open breaker is half-open when it has rested."""
        self.breaker = self.breaker.probing(now)
        if now < self.rests_until or self.breaker.state is BreakerState.OPEN:
            return None
        held = self.in_flight + len(self.waiting)
        target = self._target()
        if held > target // 2:
            return None
        most = target - held if self.pace is None else min(target - held, self.pace.room(now))
        if most < 1:
            return None
        return Room(subscription_id=self.subscription.id, most=most, is_ordered=self.subscription.is_ordered)

    def take(self, claim: ClaimedDelivery, now: float, *, until: float) -> None:
        """Keep a claim for sending, by the moment ``until``, and count it towards the rate."""
        if self.pace is not None:
            self.pace = self.pace.taken(1, now)
        self.waiting.append(Waiting(claim, until))

    def next(self, share: int = CONCURRENCY) -> ClaimedDelivery | None:
        """What to send now, if anything."""
        if not self.waiting or self.in_flight >= self.concurrency(share):
            return None
        return self.waiting.popleft().claim

    def give_up(self, now: float) -> Sequence[ClaimedDelivery]:
        """What may not be sent any more, because the endpoint rests or has become too slow for what was taken up."""
        is_shut = self.breaker.state is BreakerState.OPEN or now < self.rests_until
        return self.give_back() if is_shut or (self.waiting and self.waiting[0].until <= now) else ()

    def give_back(self) -> Sequence[ClaimedDelivery]:
        """All that waits, which then waits no more."""
        claims = [one.claim for one in self.waiting]
        self.waiting.clear()
        return claims

    def wakes_in(self, now: float) -> float | None:
        """Seconds until it may be asked again, None when that is not for the time to say."""
        if self.breaker.probes_at is not None:
            return max(0.0, self.breaker.probes_at - now)
        if now < self.rests_until:
            return self.rests_until - now
        return self.pace.waits(now) if self.pace is not None and self.pace.room(now) < 1 else None

    def note(self, answer: Answer, *, took: float, now: float, retry_after: float | None) -> None:
        """Learn from an attempt. A refusal of one message is an answer: the endpoint is there."""
        self.seconds += _SMOOTHING * (took - self.seconds)
        is_down = answer.outcome is Outcome.RETRY
        self.breaker = self.breaker.failed(now) if is_down else self.breaker.succeeded()
        if answer.outcome is Outcome.GONE:
            self.rests_until = max(self.rests_until, now + GONE_REST)
        if retry_after is not None:
            self.rests_until = max(self.rests_until, now + min(retry_after, LONGEST_REST))

    def _target(self) -> int:
        if self.concurrency() == 1:
            return 1
        fitting = int(CONCURRENCY * CLAIMED_SECONDS / max(self.seconds, 0.001))
        return max(CONCURRENCY, min(fitting, MOST_CLAIMED))
