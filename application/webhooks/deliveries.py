"""What became of deliveries, and sending them again."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from uuid import UUID

from application.ports.clock import Clock
from application.ports.id_source import IdSource
from application.ports.webhook_deliveries import DeliveryPage, DeliveryRecord, WebhookDeliveries
from application.ports.webhook_subscriptions import WebhookSubscriptions
from application.webhooks.subscriptions import endpoint_event
from domain.webhooks.delivery import Delivery, DeliveryFilter, DeliveryPending, DeliveryState
from domain.webhooks.event_types import TEST
from domain.webhooks.subscription import (
    Subscription,
    SubscriptionDisabled,
    SubscriptionNotFound,
    SubscriptionUnreadable,
)

BATCH = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Deliveries:
    """What can be done with deliveries. ``changed`` is called when there is something to send."""

    deliveries: WebhookDeliveries
    subscriptions: WebhookSubscriptions
    clock: Clock
    ids: IdSource
    changed: Callable[[], None] = lambda: None

    async def list(
        self, wanted: DeliveryFilter, *, limit: int = 100, offset: int = 0, before: int | None = None
    ) -> DeliveryPage:
        """A page of the deliveries meant, the latest first."""
        return await self.deliveries.list(wanted, limit=limit, offset=offset, before=before)

    async def get(self, delivery_id: UUID) -> DeliveryRecord:
        """One delivery with its event and attempts; raises DeliveryNotFound."""
        return await self.deliveries.get(delivery_id)

    async def retry(self, delivery_id: UUID) -> Delivery:
        """Send one settled delivery again, now and with all its attempts.

        Raises DeliveryNotFound, DeliveryPending, SubscriptionDisabled, SubscriptionUnreadable.
        """
        record = await self.deliveries.get(delivery_id)
        if record.delivery.state is DeliveryState.PENDING:
            raise DeliveryPending
        await self.require_enabled(record.delivery.subscription_id)
        wanted = DeliveryFilter(delivery_id=delivery_id)
        if not await self.deliveries.requeue(wanted, limit=1, now=self.clock.now()):
            raise DeliveryPending  # somebody else was quicker
        self.changed()
        return (await self.deliveries.get(delivery_id)).delivery

    async def send_test(self, subscription_id: UUID) -> Delivery:
        """Send a subscription an event of the type ``webhook.test``, once.

        Raises SubscriptionNotFound, SubscriptionDisabled, SubscriptionUnreadable.
        """
        subscription = await self.require_enabled(subscription_id)
        event = endpoint_event(TEST, subscription, self.ids.new_id(), at=self.clock.now(), reason="a test")
        published = await self.deliveries.publish(event, only=subscription_id)
        if not published:
            raise SubscriptionNotFound  # somebody has just removed it
        self.changed()
        return (await self.deliveries.get(published[0])).delivery

    async def requeue_all(self, wanted: DeliveryFilter) -> AsyncIterator[int]:
        """Send those meant that are settled by now again, in batches; tells how many after each.

        Those of disabled subscriptions are passed over.
        """
        now = self.clock.now()
        # What settles while we are at it is not meant, or this might never end.
        just_after = now + timedelta(microseconds=1)
        wanted = replace(wanted, settled_before=min(wanted.settled_before or just_after, just_after))
        while count := await self.deliveries.requeue(wanted, limit=BATCH, now=now):
            self.changed()
            yield count

    async def require_enabled(self, subscription_id: UUID) -> Subscription:
        """One that can be sent to; raises SubscriptionNotFound, SubscriptionDisabled, SubscriptionUnreadable."""
        subscription = await self.subscriptions.get(subscription_id)
        if not subscription.is_readable:
            raise SubscriptionUnreadable
        if not subscription.is_enabled:
            raise SubscriptionDisabled
        return subscription
