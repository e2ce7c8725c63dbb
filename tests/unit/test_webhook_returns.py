"""What a worker has taken up and cannot send, while what it asks is away."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID, uuid4

import pytest

from adapters.memory.webhook_queue import MemoryWebhookQueue
from adapters.memory.webhook_subscriptions import MemoryWebhookSubscriptions
from application.ports.webhook_queue import ClaimedDelivery
from application.ports.webhook_sender import WebhookRequest
from application.webhooks.delivery_worker import WorkerSettings
from domain.errors import Invalid, Unavailable
from domain.event import Event
from domain.webhooks.delivery import Answer, DeliveryState
from domain.webhooks.event import WebhookEvent
from domain.webhooks.subscription import Subscription
from tests.unit.webhook_workers import Post, working

SETTINGS = WorkerSettings(record_seconds=0, poll_seconds=1)


async def pass_seconds(post: Post, seconds: int) -> None:
    """Let the time pass, a second after the other."""
    for _ in range(seconds):
        await post.clock.advance(1.0)
        await post.settle()


class AwayOnce(MemoryWebhookQueue):
    """A store that is away when something is given back for the first time."""

    refusals = 1

    async def release(self, claims: Sequence[ClaimedDelivery], *, now: datetime) -> None:
        if AwayOnce.refusals:
            AwayOnce.refusals -= 1
            raise Unavailable("the database is away")
        await super().release(claims, now=now)


async def test_what_could_not_be_given_back_is_given_back_later() -> None:
    """Else it would lie there until its claims run out, with an attempt counted."""
    AwayOnce.refusals = 1
    answered = 0

    async def resting_once(request: WebhookRequest) -> Answer:
        nonlocal answered
        answered += 1
        number = answered
        await asyncio.sleep(0)
        return Answer(status=429, headers={"Retry-After": "1"}) if number == 20 else Answer(status=200)

    async with working(endpoint=resting_once, settings=SETTINGS, queue=AwayOnce) as post:
        subscription = await post.subscribed()
        await post.happened(100)
        await pass_seconds(post, 6)
        left = [one for one in post.of(subscription) if one.state is not DeliveryState.DELIVERED]
        assert (AwayOnce.refusals, len(left)) == (0, 1)
        assert Counter(one.attempts for one in post.of(subscription)) == {1: 100}


@dataclass(slots=True)
class Failing(MemoryWebhookSubscriptions):
    """Subscriptions that cannot be read for as long as there are errors left."""

    errors: list[Exception] = field(default_factory=list)
    asked: int = 0

    async def get(self, subscription_id: UUID) -> Subscription:
        self.asked += 1
        if self.errors:
            raise self.errors.pop(0)
        return await MemoryWebhookSubscriptions.get(self, subscription_id)


async def test_what_waits_for_a_newer_subscription_that_cannot_be_read_now_is_given_back() -> None:
    """It is sent as soon as that can be read."""
    async with working(settings=SETTINGS, kept=Failing) as post:
        kept = post.worker.subscriptions
        assert isinstance(kept, Failing)
        subscription = await post.subscribed()
        await post.settle()
        newer = subscription.changed({"description": "newer"}, at=post.clock.now())
        post.store.subscriptions[subscription.id] = newer
        kept.errors = [Unavailable("the database is away")]
        event = WebhookEvent(id=uuid4(), type="execution.completed", occurred_at=post.clock.now())
        post.store.publish(event)
        post.worker.events.publish(
            Event(id=event.id, type=event.type, execution_id=event.id, at=event.occurred_at)
        )
        await post.settle()
        await pass_seconds(post, 3)
        (delivery,) = post.of(subscription)
        assert (delivery.state, delivery.attempts, kept.errors) == (DeliveryState.DELIVERED, 1, [])


async def test_a_subscription_of_a_newer_version_is_warned_of_once(caplog: pytest.LogCaptureFixture) -> None:
    """Each poll would ask for it again otherwise, in every worker."""
    async with working(settings=SETTINGS, kept=Failing) as post:
        kept = post.worker.subscriptions
        assert isinstance(kept, Failing)
        kept.errors = [Invalid("timeout_seconds must be from 1 to 30")] * 100
        with caplog.at_level(logging.WARNING):
            await post.subscribed()
            await post.settle()
            await pass_seconds(post, 10)
        assert kept.asked == 1
        assert sum("timeout_seconds" in one.getMessage() for one in caplog.records) == 1
