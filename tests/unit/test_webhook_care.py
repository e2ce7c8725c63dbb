"""What is done after failed attempts, while others change the same subscription."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from adapters.memory.clock import ManualClock
from adapters.memory.webhook_store import WebhookStore
from adapters.memory.webhook_subscriptions import MemoryWebhookSubscriptions
from adapters.system.id_source import SystemIdSource
from application.ports.webhook_queue import Standing
from application.webhooks.care import EndpointCare
from domain.webhooks.event import WebhookEvent
from domain.webhooks.outcome import Outcome
from domain.webhooks.subscription import Subscription
from tests.contracts.webhooks import NOW, Desk, memory_desk


@dataclass(slots=True)
class Contended(MemoryWebhookSubscriptions):
    """Somebody else is quicker with each of these changes, once."""

    changes: list[Mapping[str, Any]] = field(default_factory=list)

    async def replace(
        self, subscription: Subscription, *, expected_version: int, event: WebhookEvent | None = None
    ) -> None:
        if self.changes:
            before = await self.get(subscription.id)
            self.store.subscriptions[before.id] = before.changed(self.changes.pop(0), at=NOW)
        await MemoryWebhookSubscriptions.replace(
            self, subscription, expected_version=expected_version, event=event
        )


async def told_gone(desk: Desk, store: WebhookStore, *changes: Mapping[str, Any]) -> Subscription:
    """A subscription whose endpoint answered 410 while it was changed so."""
    kept = await desk.subscribed()
    care = EndpointCare(
        subscriptions=Contended(store, list(changes)), clock=ManualClock(), ids=SystemIdSource()
    )
    await care.after(kept.id, kept.url, Outcome.GONE, Standing())
    return await desk.subscriptions.get(kept.id)


async def test_gone_disables_though_the_subscription_is_changed_at_the_same_moment() -> None:
    """What was changed stays changed."""
    store = WebhookStore()
    told = await told_gone(memory_desk(store), store, {"description": "x"}, {"timeout_seconds": 2.0})
    assert (told.is_enabled, told.description, told.timeout_seconds) == (False, "x", 2.0)


async def test_an_address_that_is_gone_does_not_disable_the_one_in_its_place() -> None:
    """Who has moved has heard of it already."""
    store = WebhookStore()
    told = await told_gone(memory_desk(store), store, {"url": "https://example.org/new"})
    assert (told.is_enabled, told.url) == (True, "https://example.org/new")


async def test_a_late_answer_of_an_address_that_was_left_disables_nothing() -> None:
    """Its request was on its way for as long as it took to move."""
    desk = memory_desk(WebhookStore())
    kept = await desk.subscribed()
    moved = kept.changed({"url": "https://example.org/new"}, at=NOW)
    await desk.subscriptions.replace(moved, expected_version=kept.version)
    care = EndpointCare(subscriptions=desk.subscriptions, clock=ManualClock(), ids=SystemIdSource())
    assert not await care.after(kept.id, kept.url, Outcome.GONE, Standing())
    assert (await desk.subscriptions.get(kept.id)).is_enabled
    assert await care.after(kept.id, moved.url, Outcome.GONE, Standing())
