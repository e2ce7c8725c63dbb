"""What every ``WebhookDeliveries`` does."""

from __future__ import annotations

from uuid import uuid4

import pytest

from domain.webhooks.delivery import DeliveryFilter, DeliveryNotFound, DeliveryState
from domain.webhooks.filters import EventFilter
from domain.webhooks.outcome import Failure
from tests.contracts.webhooks import BROKEN, OK, Desk, an_event, at, desk, disabled

__all__ = ["desk"]
ALL = DeliveryFilter()


async def test_an_event_makes_a_delivery_for_each_who_wants_it(desk: Desk) -> None:
    """Pending for the enabled, skipped for the disabled, none for others."""
    config = uuid4()
    wanting = await desk.subscribed(filters=EventFilter(config_id=config))
    off = await desk.subscribed()
    await desk.subscriptions.replace(disabled(off), expected_version=1)
    await desk.subscribed("execution.failed")
    await desk.subscribed(filters=EventFilter(config_id=uuid4()))
    await desk.subscribed(filters=EventFilter(config_id=config, route_id="read"))
    event = an_event(config_id=config, seconds=3)
    made = [await desk.seen(one) for one in await desk.deliveries.publish(event)]
    told = {one.subscription_id: (one.state, one.due_at, one.settled_at) for one in made}
    assert told == {
        wanting.id: (DeliveryState.PENDING, at(3), None),
        off.id: (DeliveryState.SKIPPED, None, at(3)),
    }
    assert (await desk.deliveries.get(made[0].id)).event == event
    assert await desk.deliveries.publish(an_event("execution.cancelled")) == []


async def test_an_event_can_be_for_one_alone(desk: Desk) -> None:
    """Though it never asked for the type."""
    await desk.subscribed("webhook.test")
    one = await desk.subscribed()
    (made,) = await desk.deliveries.publish(an_event("webhook.test"), only=one.id)
    assert (await desk.seen(made)).subscription_id == one.id


async def test_a_delivery_is_kept_with_its_attempts(desk: Desk) -> None:
    """In their order, byte for byte."""
    kept = await desk.subscribed()
    (made,) = await desk.deliveries.publish(an_event())
    await desk.record(*await desk.claim(kept), answer=BROKEN, now=1)
    await desk.record(*await desk.claim(kept, now=100, until=200), answer=OK, now=101)
    record = await desk.deliveries.get(made)
    assert [(one.number, one.started_at, one.answer) for one in record.attempts] == [
        (1, at(1), BROKEN),
        (2, at(101), OK),
    ]
    assert record.attempts[0].request_headers == {"webhook-id": str(made)}
    delivery = record.delivery
    assert (delivery.state, delivery.attempts, delivery.last_status) == (DeliveryState.DELIVERED, 2, 200)
    with pytest.raises(DeliveryNotFound):
        await desk.deliveries.get(uuid4())


async def test_deliveries_are_listed_the_latest_first(desk: Desk) -> None:
    """By pages that new ones do not shift."""
    await desk.subscribed()
    ids = [(await desk.deliveries.publish(an_event(seconds=number)))[0] for number in range(5)]
    page = await desk.deliveries.list(ALL, limit=2)
    await desk.deliveries.publish(an_event(seconds=9))
    following = await desk.deliveries.list(ALL, limit=2, before=page.following)
    last = await desk.deliveries.list(ALL, limit=2, before=following.following)
    listed = [one.id for one in (*page.deliveries, *following.deliveries, *last.deliveries)]
    assert listed == list(reversed(ids))
    assert (page.total, page.is_total_exact, last.following) == (5, True, None)
    assert [one.id for one in (await desk.deliveries.list(ALL, limit=1, offset=2)).deliveries] == [ids[3]]


async def test_everything_given_in_a_filter_must_hold(desk: Desk) -> None:
    """As the filter itself says of each delivery."""
    one, other = await desk.subscribed(), await desk.subscribed("execution.failed", "execution.completed")
    for number in range(4):
        await desk.deliveries.publish(an_event(seconds=number))
    await desk.deliveries.publish(an_event("execution.failed", seconds=4))
    first, second, third, _ = await desk.claim(one, now=9)
    await desk.record(first, answer=OK)
    await desk.record(second, answer=BROKEN)
    await desk.record(third, answer=type(OK)(failure=Failure.DESTINATION_REFUSED), now=50)
    everything = (await desk.deliveries.list(ALL, limit=100)).deliveries
    for wanted in (
        DeliveryFilter(subscription_id=other.id),
        DeliveryFilter(delivery_id=first.delivery.id),
        DeliveryFilter(states=frozenset({DeliveryState.DEAD, DeliveryState.DELIVERED})),
        DeliveryFilter(event_type="execution.failed"),
        DeliveryFilter(status=500),
        DeliveryFilter(failure=Failure.DESTINATION_REFUSED),
        DeliveryFilter(since=at(1), until=at(3)),
        DeliveryFilter(settled_before=at(20)),
        DeliveryFilter(subscription_id=one.id, status=200, states=frozenset({DeliveryState.PENDING})),
    ):
        page = await desk.deliveries.list(wanted, limit=100)
        meant = [each for each in everything if wanted.holds(each)]
        assert (list(page.deliveries), page.total) == (meant, len(meant)), wanted


async def test_settled_deliveries_are_sent_again_when_asked_for(desk: Desk) -> None:
    """The earliest first, with all their attempts, those of disabled subscriptions left alone."""
    one, off = await desk.subscribed(), await desk.subscribed()
    for number in range(3):
        await desk.deliveries.publish(an_event(seconds=number))
    dead = type(OK)(status=404)
    await desk.record(*await desk.claim(one, off, now=5), answer=dead, now=6)
    await desk.subscriptions.replace(disabled(off), expected_version=1)
    meant = DeliveryFilter(states=frozenset({DeliveryState.DEAD}))
    assert await desk.deliveries.requeue(meant, limit=2, now=at(7)) == 2
    again = await desk.claim(one, now=7, until=99)
    assert [claim.delivery.occurred_at for claim in again] == [at(0), at(1)]
    assert {(claim.delivery.failures, claim.delivery.attempts) for claim in again} == {(0, 2)}
    assert await desk.deliveries.requeue(meant, limit=9, now=at(7)) == 1
    assert await desk.deliveries.requeue(meant, limit=9, now=at(7)) == 0


async def test_events_that_a_removed_subscription_leaves_are_forgotten_to_the_last(desk: Desk) -> None:
    """However few may be forgotten at once, and though none of their deliveries is left to be forgotten."""
    gone, other = await desk.subscribed(), await desk.subscribed("webhook.test")
    events = [an_event(seconds=number) for number in range(3)]
    for event in events:
        await desk.deliveries.publish(event)
    await desk.subscriptions.remove(gone.id)
    while await desk.deliveries.clear_backlog(limit=9):
        pass
    assert await desk.deliveries.forget(before=at(2), limit=1) == 1
    while await desk.deliveries.forget(before=at(9), limit=1):
        pass
    again = [await desk.deliveries.publish(event, only=other.id) for event in events]
    assert [len(made) for made in again] == [1, 1, 1]


async def test_old_settled_deliveries_are_forgotten(desk: Desk) -> None:
    """With their events, when nobody else needs them."""
    one, other = await desk.subscribed(), await desk.subscribed()
    await desk.deliveries.publish(an_event())
    (claim,) = await desk.claim(one)
    await desk.record(claim, now=10)
    assert await desk.deliveries.forget(before=at(10), limit=9) == 0
    assert await desk.deliveries.forget(before=at(11), limit=9) == 1
    with pytest.raises(DeliveryNotFound):
        await desk.deliveries.get(claim.delivery.id)
    (pending,) = await desk.claim(other)
    assert pending.event == claim.event
