"""What every ``WebhookQueue`` does."""

from __future__ import annotations

import asyncio
from uuid import uuid4

from application.ports.webhook_queue import Room, Standing
from domain.webhooks.delivery import DeliveryState
from tests.contracts.webhooks import BROKEN, OK, Desk, an_event, at, desk, disabled

__all__ = ["desk"]


async def test_what_is_due_is_claimed_once(desk: Desk) -> None:
    """The earliest first, and again only when the claim has run out."""
    kept = await desk.subscribed()
    events = [an_event(seconds=number) for number in range(3)]
    for event in events:
        await desk.deliveries.publish(event)
    claims = await desk.claim(kept, now=1, until=50)
    assert [claim.event for claim in claims] == events[:2]
    assert {(claim.version, claim.delivery.attempts) for claim in claims} == {(1, 1)}
    assert await desk.claim(kept, now=1) == []
    again = await desk.claim(kept, now=50, until=90)
    assert sorted(claim.delivery.attempts for claim in again) == [1, 2, 2]


async def test_each_subscription_gets_its_room(desk: Desk) -> None:
    """However much waits for another; those without room, disabled or unknown get nothing."""
    one, other, unasked, off = [await desk.subscribed() for _ in range(4)]
    for number in range(5):
        await desk.deliveries.publish(an_event(seconds=number - 9))
    rooms = [Room(subscription_id=one.id, most=4), Room(subscription_id=other.id, most=1)]
    rooms += [Room(subscription_id=off.id, most=9), Room(subscription_id=uuid4(), most=9)]
    await desk.subscriptions.replace(disabled(off), expected_version=1)
    claims = await desk.queue.claim(rooms, token=uuid4(), now=at(0), until=at(9))
    of = [claim.delivery.subscription_id for claim in claims]
    assert (of.count(one.id), of.count(other.id), len(of)) == (4, 1, 5)
    assert len(await desk.claim(unasked)) == 5


async def test_several_workers_share_without_doubling(desk: Desk) -> None:
    """All at once."""
    kept = await desk.subscribed()
    for _ in range(40):
        await desk.deliveries.publish(an_event())
    claims = await asyncio.gather(*(desk.claim(kept, most=10) for _ in range(6)))
    ids = [claim.delivery.id for one in claims for claim in one]
    assert len(ids) == len(set(ids))
    rest = await desk.claim(kept, most=40)
    assert len(ids) + len(rest) == 40


async def test_an_ordered_subscription_gets_one_at_a_time(desk: Desk) -> None:
    """Its very earliest, and nothing while that waits or is out."""
    kept = await desk.subscribed(is_ordered=True)
    for number in range(2):
        await desk.deliveries.publish(an_event(seconds=number))
    (first,) = await desk.claim(kept, now=9)
    assert await desk.claim(kept, now=9) == []
    await desk.record(first, answer=BROKEN, now=9)
    assert await desk.claim(kept, now=68) == []
    (again,) = await desk.claim(kept, now=69, until=200)
    assert again.delivery.id == first.delivery.id
    await desk.record(again, now=70)
    (second,) = await desk.claim(kept, now=70)
    assert second.event.occurred_at == at(1)


async def test_a_record_counts_while_the_claim_holds(desk: Desk) -> None:
    """One that comes late keeps its attempt and changes nothing; neither does one that comes twice."""
    kept = await desk.subscribed()
    await desk.deliveries.publish(an_event())
    (late,) = await desk.claim(kept, until=10)
    (current,) = await desk.claim(kept, now=10, until=99)
    await desk.record(late, answer=OK, now=11)
    assert (await desk.seen(late.delivery.id)).state is DeliveryState.PENDING
    await desk.record(current, answer=BROKEN, now=12)
    after = await desk.seen(late.delivery.id)
    await desk.record(current, answer=OK, now=13)
    assert await desk.seen(late.delivery.id) == after
    assert (after.failures, after.due_at, after.last_status) == (1, at(72), 500)
    attempts = (await desk.deliveries.get(late.delivery.id)).attempts
    assert [(one.number, one.answer.status) for one in attempts] == [(1, 200), (2, 500)]


async def test_what_is_given_back_is_due_at_once_and_was_no_attempt(desk: Desk) -> None:
    """Whatever has been settled, or claimed anew, stays as it is."""
    kept = await desk.subscribed()
    for number in range(3):
        await desk.deliveries.publish(an_event(seconds=number))
    settled, taken, mine = await desk.claim(kept, most=3, now=5, until=10)
    await desk.record(settled, answer=OK, now=6)
    await desk.queue.release([mine], now=at(7))
    (mine_again,) = await desk.claim(kept, most=3, now=7, until=99)
    (taken_anew,) = await desk.claim(kept, most=3, now=10, until=99)
    await desk.queue.release([settled, taken, mine], now=at(11))
    assert await desk.claim(kept, most=3, now=11) == []
    assert (mine_again.delivery.id, mine_again.delivery.attempts) == (mine.delivery.id, 1)
    assert (taken_anew.delivery.id, taken_anew.delivery.attempts) == (taken.delivery.id, 2)
    assert (await desk.seen(settled.delivery.id)).state is DeliveryState.DELIVERED


async def test_a_delivery_that_was_skipped_on_its_way_is_delivered_if_it_was(desk: Desk) -> None:
    """And stays skipped if it was not."""
    kept = await desk.subscribed()
    for _ in range(2):
        await desk.deliveries.publish(an_event())
    one, other = await desk.claim(kept)
    await desk.subscriptions.replace(disabled(kept), expected_version=1)
    await desk.record(one, answer=OK)
    await desk.record(other, answer=BROKEN)
    assert (await desk.seen(one.delivery.id)).state is DeliveryState.DELIVERED
    assert (await desk.seen(other.delivery.id)).state is DeliveryState.SKIPPED


async def test_a_record_tells_since_when_an_endpoint_fails(desk: Desk) -> None:
    """Until something gets through; each endpoint for itself."""
    one, other = await desk.subscribed(), await desk.subscribed()
    for number in range(3):
        await desk.deliveries.publish(an_event(seconds=number))
    first, second, third = await desk.claim(one, now=5)
    assert await desk.record(first, answer=BROKEN, now=6) == [Standing(failing_since=at(6))]
    assert await desk.record(second, answer=BROKEN, now=8) == [Standing(failing_since=at(6))]
    assert (await desk.subscriptions.get(other.id)).failing_since is None
    assert await desk.record(third, answer=OK, now=9) == [Standing()]
    assert (await desk.subscriptions.get(one.id)).failing_since is None


async def test_what_came_of_a_removed_subscription_is_dropped(desk: Desk) -> None:
    """Without an error."""
    kept = await desk.subscribed()
    await desk.deliveries.publish(an_event())
    claims = await desk.claim(kept)
    await desk.subscriptions.remove(kept.id)
    assert await desk.record(*claims, answer=BROKEN) == [Standing()]
    assert await desk.states() == []
