"""Webhook events and deliveries in memory, for people."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from adapters.memory.webhook_store import WebhookStore
from application.ports.counting import COUNTED_EXACTLY
from application.ports.webhook_deliveries import DeliveryPage, DeliveryRecord
from domain.webhooks.delivery import DeliveryFilter, DeliveryNotFound, DeliveryState
from domain.webhooks.event import WebhookEvent


@dataclass(slots=True)
class MemoryWebhookDeliveries:
    """The ``WebhookDeliveries`` port over a ``WebhookStore``."""

    store: WebhookStore = field(default_factory=WebhookStore)

    async def publish(self, event: WebhookEvent, *, only: UUID | None = None) -> Sequence[UUID]:
        """See the port."""
        return self.store.publish(event, only)

    async def list(
        self, wanted: DeliveryFilter, *, limit: int, offset: int = 0, before: int | None = None
    ) -> DeliveryPage:
        """See the port."""
        meant = [one for one in self.store.deliveries.values() if wanted.holds(one)]
        meant.sort(key=lambda one: -one.position)
        rest = [one for one in meant if before is None or one.position < before][offset:]
        return DeliveryPage(
            deliveries=rest[:limit],
            total=min(len(meant), COUNTED_EXACTLY),
            is_total_exact=len(meant) <= COUNTED_EXACTLY,
            following=rest[limit - 1].position if len(rest) > limit else None,
        )

    async def get(self, delivery_id: UUID) -> DeliveryRecord:
        """See the port."""
        delivery = self.store.deliveries.get(delivery_id)
        if delivery is None:
            raise DeliveryNotFound
        attempts = self.store.attempts.get(delivery_id, {})
        return DeliveryRecord(
            delivery=delivery,
            event=self.store.events[delivery.event_id],
            attempts=[attempts[number] for number in sorted(attempts)],
        )

    async def requeue(self, wanted: DeliveryFilter, *, limit: int, now: datetime) -> int:
        """See the port."""
        enabled = {one.id for one in self.store.subscriptions.values() if one.is_enabled}
        meant = [
            one
            for one in sorted(self.store.deliveries.values(), key=lambda one: one.position)
            if one.state is not DeliveryState.PENDING and one.subscription_id in enabled and wanted.holds(one)
        ][:limit]
        for one in meant:
            self.store.deliveries[one.id] = one.requeued(at=now)
            self.store.tokens.pop(one.id, None)
        return len(meant)

    async def clear_backlog(self, *, limit: int) -> int:  # noqa: ARG002 (the port has it)
        """See the port: here nothing is ever left behind."""
        return 0

    async def forget(self, *, before: datetime, limit: int) -> int:
        """See the port."""
        old = [
            one
            for one in self.store.deliveries.values()
            if one.settled_at is not None and one.settled_at < before
        ][:limit]
        for one in old:
            del self.store.deliveries[one.id]
            self.store.attempts.pop(one.id, None)
        needed = {one.event_id for one in self.store.deliveries.values()}
        unneeded = [
            one.id for one in self.store.events.values() if one.occurred_at < before and one.id not in needed
        ][:limit]
        for event_id in unneeded:
            del self.store.events[event_id]
        return len(old) + len(unneeded)
