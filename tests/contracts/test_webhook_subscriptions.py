"""What every ``WebhookSubscriptions`` does."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from uuid import uuid4

import pytest

from adapters.postgres.webhook_rows import publish
from domain.webhooks.delivery import DeliveryFilter, DeliveryState
from domain.webhooks.filters import EventFilter
from domain.webhooks.secret import Secret
from domain.webhooks.subscription import SubscriptionChanged, SubscriptionNotFound
from tests.contracts.webhooks import BROKEN, NOW, Desk, an_event, at, desk, disabled, postgres_desk
from tests.databases import fresh_database

__all__ = ["desk"]


async def test_a_subscription_comes_back_as_it_was(desk: Desk) -> None:
    """With its secrets, headers and filters."""
    filters = EventFilter(config_id=uuid4(), execution_id=uuid4(), route_id="läsa", adapter_name="reader")
    kept = await desk.subscribed(
        "execution.failed",
        "lineage.failed",
        filters=filters,
        description="für alle",
        requests_per_second=2.5,
        is_ordered=True,
    )
    assert await desk.subscriptions.get(kept.id) == kept
    with pytest.raises(SubscriptionChanged):
        await desk.subscriptions.add(kept)
    with pytest.raises(SubscriptionNotFound):
        await desk.subscriptions.get(uuid4())


async def test_a_subscription_to_a_type_that_another_version_knows_is_there_like_others(desk: Desk) -> None:
    """It is shown, changed, and told of what this version knows too."""
    kept = await desk.subscribed("execution.exploded", "execution.completed")
    assert await desk.subscriptions.get(kept.id) == kept
    assert await desk.subscriptions.list(event_type="execution.exploded", limit=9) == ([kept], 1)
    after = kept.changed({"description": "x"}, at=at(1))
    await desk.subscriptions.replace(after, expected_version=1)
    assert await desk.subscriptions.get(kept.id) == after
    await desk.deliveries.publish(an_event())
    (claim,) = await desk.claim(kept)
    assert claim.event.type == "execution.completed"


async def test_a_subscription_is_replaced_in_the_version_that_was_read(desk: Desk) -> None:
    """Of two who change it, the second has to look again."""
    kept = await desk.subscribed()
    changes = {"url": "https://example.org/other", "secrets": (Secret(text="x"),), "headers": {}}
    after = kept.changed(changes, at=at(1))
    await desk.subscriptions.replace(after, expected_version=1)
    assert await desk.subscriptions.get(kept.id) == after
    with pytest.raises(SubscriptionChanged):
        await desk.subscriptions.replace(after, expected_version=1)
    with pytest.raises(SubscriptionNotFound):
        await desk.subscriptions.replace(replace(after, id=uuid4()), expected_version=2)


async def test_disabling_skips_what_is_pending_and_is_told_of_at_once(desk: Desk) -> None:
    """In one transaction: a change that is refused tells nobody."""
    kept, other = await desk.subscribed(), await desk.subscribed("webhook.disabled")
    (pending,) = await desk.deliveries.publish(an_event())
    off = disabled(kept)
    with pytest.raises(SubscriptionChanged):
        await desk.subscriptions.replace(off, expected_version=7, event=an_event("webhook.disabled"))
    assert (await desk.seen(pending)).state is DeliveryState.PENDING
    await desk.subscriptions.replace(off, expected_version=1, event=an_event("webhook.disabled", seconds=5))
    skipped = await desk.seen(pending)
    assert (skipped.state, skipped.due_at, skipped.settled_at) == (DeliveryState.SKIPPED, None, at(5))
    page = await desk.deliveries.list(DeliveryFilter(subscription_id=other.id), limit=10)
    assert [one.event_type for one in page.deliveries] == ["webhook.disabled"]
    assert await desk.subscriptions.versions() == {other.id: 1}


async def test_a_subscription_that_is_enabled_again_has_no_history_of_failures(desk: Desk) -> None:
    """While any other change leaves it alone."""
    kept = await desk.subscribed()
    await desk.deliveries.publish(an_event())
    await desk.record(*await desk.claim(kept), answer=BROKEN, now=3)
    assert (await desk.subscriptions.get(kept.id)).failing_since == at(3)
    stale = kept.changed({"description": "x", "warned_at": at(4)}, at=at(4))
    await desk.subscriptions.replace(stale, expected_version=1)
    seen = await desk.subscriptions.get(kept.id)
    assert (seen.failing_since, seen.warned_at) == (at(3), at(4))
    off = disabled(seen)
    await desk.subscriptions.replace(off, expected_version=2)
    await desk.subscriptions.replace(off.enabled(at=at(6)), expected_version=3)
    back = await desk.subscriptions.get(kept.id)
    assert (back.is_enabled, back.failing_since, back.warned_at) == (True, None, None)


async def test_a_warning_does_not_outlast_the_failures_that_it_is_of(desk: Desk) -> None:
    """Or the next row of failures would disable an endpoint without a warning of its own."""
    kept = await desk.subscribed()
    await desk.deliveries.publish(an_event())
    await desk.deliveries.publish(an_event(seconds=1))
    first, second = await desk.claim(kept, now=2)
    await desk.record(first, answer=BROKEN, now=3)
    stale = kept.changed({"warned_at": at(4)}, at=at(4))
    await desk.record(second, now=4)
    await desk.subscriptions.replace(stale, expected_version=1)
    seen = await desk.subscriptions.get(kept.id)
    assert (seen.version, seen.failing_since, seen.warned_at) == (2, None, None)


async def test_another_address_does_not_inherit_failures(desk: Desk) -> None:
    """Nor the warning of them, whatever the one who changes it has read."""
    kept = await desk.subscribed()
    await desk.deliveries.publish(an_event())
    stale = replace(kept, warned_at=at(4), url="https://example.org/other", version=2)
    await desk.record(*await desk.claim(kept), answer=BROKEN, now=3)
    await desk.subscriptions.replace(stale, expected_version=1)
    seen = await desk.subscriptions.get(kept.id)
    assert (seen.url, seen.failing_since, seen.warned_at) == (stale.url, None, None)


async def test_a_removed_subscription_takes_its_deliveries_along(desk: Desk) -> None:
    """And nobody else's."""
    kept, gone = await desk.subscribed(), await desk.subscribed()
    await desk.deliveries.publish(an_event())
    await desk.record(*await desk.claim(gone))
    await desk.subscriptions.remove(gone.id)
    page = await desk.deliveries.list(DeliveryFilter(), limit=10)
    assert [one.subscription_id for one in page.deliveries] == [kept.id]
    with pytest.raises(SubscriptionNotFound):
        await desk.subscriptions.remove(gone.id)


async def test_subscriptions_are_listed_by_creation(desk: Desk) -> None:
    """Those that are meant, a page at a time."""
    first = await desk.subscribed("execution.failed", created_at=at(-2))
    second = await desk.subscribed("execution.failed", "execution.completed", created_at=at(-1))
    third = disabled(await desk.subscribed(created_at=NOW))
    await desk.subscriptions.replace(third, expected_version=1)
    everything, total = await desk.subscriptions.list(limit=2)
    assert (list(everything), total) == ([first, second], 3)
    assert await desk.subscriptions.list(limit=2, offset=2) == ([third], 3)
    assert await desk.subscriptions.list(is_enabled=False, limit=9) == ([third], 1)
    assert await desk.subscriptions.list(event_type="execution.failed", limit=9) == ([first, second], 2)


async def test_without_its_key_a_subscription_is_there_but_for_its_secrets_and_headers(desk: Desk) -> None:
    """What is changed meanwhile leaves them alone, for who has the key."""
    kept = await desk.subscribed()
    unreadable = replace(kept, secrets=(), headers={}, is_readable=False)
    assert await desk.with_another_key.get(kept.id) == unreadable
    assert await desk.with_another_key.list(limit=9) == ([unreadable], 1)
    assert await desk.with_another_key.versions() == {kept.id: 1}
    changes = {"description": "x", "url": "https://example.org/other"}
    off = unreadable.changed(changes, at=at(1)).disabled("a test", at=at(1))
    await desk.with_another_key.replace(off, expected_version=1)
    assert await desk.with_another_key.get(kept.id) == off
    assert await desk.subscriptions.get(kept.id) == replace(
        off, secrets=kept.secrets, headers=kept.headers, is_readable=True
    )


async def test_a_new_secret_makes_a_subscription_readable_with_the_key_of_who_gave_it(desk: Desk) -> None:
    """And with no other."""
    kept = await desk.subscribed()
    changes = {"secrets": (Secret(text="x"),), "is_readable": True}
    after = (await desk.with_another_key.get(kept.id)).changed(changes, at=at(1))
    await desk.with_another_key.replace(after, expected_version=1)
    assert await desk.with_another_key.get(kept.id) == after
    assert (after.headers, after.is_readable) == ({}, True)
    assert not (await desk.subscriptions.get(kept.id)).is_readable


async def test_disabling_and_removing_leave_nothing_behind_that_is_written_just_then(
    postgres_url: str,
) -> None:
    """Neither waits for it, nothing of it is sent once enabled, and the next clearing takes it."""
    async with fresh_database(postgres_url) as database:
        desk = postgres_desk(database)
        off, gone = await desk.subscribed(), await desk.subscribed()
        async with database.transaction() as connection:
            await publish(connection, an_event())
            await desk.subscriptions.replace(disabled(off), expected_version=1)
            await desk.subscriptions.remove(gone.id)
        assert await desk.states() == [DeliveryState.PENDING] * 2
        assert await desk.claim(off, gone) == []
        assert await desk.deliveries.clear_backlog(limit=10) == 2
        assert await desk.states() == [DeliveryState.SKIPPED]
        assert await desk.deliveries.clear_backlog(limit=10) == 0


async def test_disabling_does_not_wait_for_who_records(postgres_url: str) -> None:
    """Nor may it be enabled before what waited is skipped."""
    async with fresh_database(postgres_url) as database:
        desk = postgres_desk(database)
        kept = await desk.subscribed()
        await desk.deliveries.publish(an_event())
        off = disabled(kept)
        async with database.transaction() as connection:
            await connection.execute("SELECT FROM webhook_delivery FOR UPDATE")
            async with asyncio.timeout(5):
                await desk.subscriptions.replace(off, expected_version=1)
            with pytest.raises(SubscriptionChanged):
                await desk.subscriptions.replace(off.enabled(at=at(6)), expected_version=2)
        await desk.subscriptions.replace(off.enabled(at=at(6)), expected_version=2)
        assert await desk.states() == [DeliveryState.SKIPPED]
