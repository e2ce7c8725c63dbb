"""Webhook subscriptions in memory."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from uuid import UUID

from adapters.memory.webhook_store import WebhookStore
from domain.webhooks.delivery import DeliveryState
from domain.webhooks.event import WebhookEvent
from domain.webhooks.subscription import Subscription, SubscriptionChanged, SubscriptionNotFound


@dataclass(slots=True)
class MemoryWebhookSubscriptions:
    """The ``WebhookSubscriptions`` port over a ``WebhookStore``; it can read what is sealed with its ``key``."""

    store: WebhookStore = field(default_factory=WebhookStore)
    key: str = field(default="", kw_only=True)

    async def add(self, subscription: Subscription) -> None:
        """See the port."""
        if subscription.id in self.store.subscriptions:
            raise SubscriptionChanged("a subscription of that id exists already")
        self.store.subscriptions[subscription.id] = subscription
        self.store.keys[subscription.id] = self.key

    async def get(self, subscription_id: UUID) -> Subscription:
        """See the port."""
        if subscription_id not in self.store.subscriptions:
            raise SubscriptionNotFound
        return self._read(self.store.subscriptions[subscription_id])

    async def replace(
        self, subscription: Subscription, *, expected_version: int, event: WebhookEvent | None = None
    ) -> None:
        """See the port."""
        before = await self.get(subscription.id)
        if before.version != expected_version:
            raise SubscriptionChanged
        is_back = subscription.is_enabled and not before.is_enabled
        is_fresh = is_back or subscription.url != before.url
        kept = self.store.subscriptions[subscription.id]
        if subscription.is_readable:
            kept, self.store.keys[kept.id] = subscription, self.key
        self.store.subscriptions[subscription.id] = replace(
            subscription,
            secrets=kept.secrets,
            headers=kept.headers,
            is_readable=True,
            failing_since=None if is_fresh else before.failing_since,
            warned_at=None if is_fresh or before.failing_since is None else subscription.warned_at,
        )
        if not subscription.is_enabled:
            for one in self.store.of_subscription(subscription.id):
                if one.state is DeliveryState.PENDING:
                    self.store.deliveries[one.id] = one.skipped(at=subscription.updated_at)
        if event is not None:
            self.store.publish(event)

    async def remove(self, subscription_id: UUID) -> None:
        """See the port."""
        await self.get(subscription_id)
        for one in self.store.of_subscription(subscription_id):
            del self.store.deliveries[one.id]
            self.store.attempts.pop(one.id, None)
        del self.store.subscriptions[subscription_id]

    async def list(
        self, *, is_enabled: bool | None = None, event_type: str | None = None, limit: int, offset: int = 0
    ) -> tuple[Sequence[Subscription], int]:
        """See the port."""
        meant = [
            one
            for one in self.store.subscriptions.values()
            if is_enabled in {None, one.is_enabled} and (event_type is None or event_type in one.event_types)
        ]
        meant.sort(key=lambda one: (one.created_at, one.id))
        return [self._read(one) for one in meant[offset : offset + limit]], len(meant)

    async def versions(self) -> Mapping[UUID, int]:
        """See the port."""
        return {one.id: one.version for one in self.store.subscriptions.values() if one.is_enabled}

    def _read(self, kept: Subscription) -> Subscription:
        is_readable = self.store.keys.get(kept.id, "") == self.key
        return kept if is_readable else replace(kept, secrets=(), headers={}, is_readable=False)
