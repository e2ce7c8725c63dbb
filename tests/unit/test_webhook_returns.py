"""What a worker has taken up and cannot send, while what it asks is away."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from uuid import UUID, uuid4

import pytest

from adapters.memory.webhook_queue import MemoryWebhookQueue
from adapters.memory.webhook_subscriptions import MemoryWebhookSubscriptions
from application.ports.webhook_queue import ClaimedDelivery, Room
from application.ports.webhook_sender import WebhookRequest
from application.webhooks.delivery_worker import WorkerSettings
from domain.errors import Invalid, Unavailable
from domain.event import Event
from domain.webhooks.delivery import Answer, DeliveryState
from domain.webhooks.event import WebhookEvent
from domain.webhooks.subscription import Subscription
from tests.unit.webhook_workers import URL, Post, working

SETTINGS = WorkerSettings(record_seconds=0, poll_seconds=1)


async def pass_seconds(post: Post, seconds: int) -> None:
    """Let the time pass, a second after the other."""
    for _ in range(seconds):
        await post.clock.advance(1.0)
        await post.settle()


def tell_of(post: Post, count: int) -> None:
    """So many events, of which the worker hears without looking whether subscriptions have changed."""
    for _ in range(count):
        event = WebhookEvent(id=uuid4(), type="execution.completed", occurred_at=post.clock.now())
        post.store.publish(event)
        post.worker.events.publish(
            Event(id=event.id, type=event.type, execution_id=event.id, at=event.occurred_at)
        )


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
    gate: asyncio.Event | None = None

    async def get(self, subscription_id: UUID) -> Subscription:
        self.asked += 1
        if self.gate is not None:
            await self.gate.wait()
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
        tell_of(post, 1)
        await post.settle()
        await pass_seconds(post, 3)
        (delivery,) = post.of(subscription)
        assert (delivery.state, delivery.attempts, kept.errors) == (DeliveryState.DELIVERED, 1, [])


class Leisurely(MemoryWebhookQueue):
    """A store that takes its time over many claims, while something else happens."""

    meanwhile = asyncio.Event()

    async def claim(
        self, rooms: Sequence[Room], *, token: UUID, now: datetime, until: datetime
    ) -> Sequence[ClaimedDelivery]:
        claims = await super().claim(rooms, token=token, now=now, until=until)
        if len(claims) > 1:
            Leisurely.meanwhile.set()
            for _ in range(20):
                await asyncio.sleep(0)
        return claims


async def test_what_comes_for_an_endpoint_that_was_dropped_meanwhile_is_given_back_at_once() -> None:
    """Nobody looks at what waits there, and asking for each would only be told the same."""
    Leisurely.meanwhile = asyncio.Event()
    async with working(settings=SETTINGS, kept=Failing, queue=Leisurely) as post:
        kept = post.worker.subscriptions
        assert isinstance(kept, Failing)
        subscription = await post.subscribed()
        await post.settle()
        newer = subscription.changed({"description": "newer"}, at=post.clock.now())
        post.store.subscriptions[subscription.id] = newer
        kept.gate = Leisurely.meanwhile
        kept.errors = [Invalid("there is no event type like it")] * 100
        before = kept.asked
        for count in (1, 40):
            tell_of(post, count)
            await post.settle()
        assert Leisurely.meanwhile.is_set()
        assert kept.asked == before + 1
        assert Counter(one.attempts for one in post.of(subscription)) == {0: 41}


async def test_what_is_older_than_the_subscription_asks_for_it_no_more() -> None:
    """What was taken up before a change is sent as the change wants it, which is known by then."""
    async with working(settings=SETTINGS, kept=Failing) as post:
        kept = post.worker.subscriptions
        assert isinstance(kept, Failing)
        subscription = await post.subscribed()
        await post.settle()
        gate = post.answering.gates[subscription.url] = asyncio.Event()
        await post.happened(40)
        await post.subscriptions.update(subscription.id, {"description": "newer"}, expected_version=1)
        await post.settle()
        before = kept.asked
        gate.set()
        await pass_seconds(post, 3)
        assert {one.state for one in post.of(subscription)} == {DeliveryState.DELIVERED}
        assert kept.asked == before


@pytest.mark.parametrize("is_ordered", [False, True])
async def test_what_is_written_down_is_not_said_to_be_left(
    caplog: pytest.LogCaptureFixture, *, is_ordered: bool
) -> None:
    """The log says what was not done: the endpoint was neither warned nor disabled."""
    async with working(Answer(status=410), settings=SETTINGS, kept=Failing) as post:
        kept = post.worker.subscriptions
        assert isinstance(kept, Failing)
        subscription = await post.subscribed(is_ordered=is_ordered)
        await post.settle()
        kept.errors = [Unavailable("the database is away")]
        with caplog.at_level(logging.WARNING):
            await post.happened()
        told = [one.getMessage() for one in caplog.records]
        assert [one.state for one in post.of(subscription)] == [DeliveryState.DEAD]
        assert not any("left for later" in one for one in told)
        assert sum("neither warned nor disabled: the database is away" in one for one in told) == 1


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


@dataclass(slots=True)
class Slow(MemoryWebhookSubscriptions):
    """Told of a change before it has been followed by another, which disables."""

    reported: dict[UUID, int] = field(default_factory=dict)

    async def versions(self) -> Mapping[UUID, int]:
        return self.reported or await MemoryWebhookSubscriptions.versions(self)


async def test_what_waits_for_a_subscription_that_turns_out_to_be_disabled_is_not_sent() -> None:
    """Its version may have been read while it was enabled still."""
    async with working(settings=SETTINGS, kept=Slow) as post:
        kept = post.worker.subscriptions
        assert isinstance(kept, Slow)
        subscription = await post.subscribed()
        post.answering.gates[URL] = asyncio.Event()
        await post.happened(40)
        under_way = len(post.sent())
        assert 0 < under_way < 40
        disabled = replace(
            subscription.changed({"description": "newer"}, at=post.clock.now()), is_enabled=False
        )
        post.store.subscriptions[subscription.id] = disabled
        kept.reported = {subscription.id: disabled.version}
        post.worker.wake()
        await post.settle()
        post.answering.gates[URL].set()
        await post.settle()
        await pass_seconds(post, 3)
        assert len(post.sent()) == under_way
