"""Webhooks in memory: what the three sides of them share."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import count
from uuid import UUID, uuid4

from domain.webhooks.delivery import Attempt, Delivery
from domain.webhooks.event import WebhookEvent
from domain.webhooks.subscription import Subscription


@dataclass(slots=True)
class WebhookStore:
    """What the three adapters share; ``publish`` is what a transaction does that an event happens in.

    ``keys`` names the key that a subscription is sealed with, where that is not the usual one.
    """

    subscriptions: dict[UUID, Subscription] = field(default_factory=dict)
    keys: dict[UUID, str] = field(default_factory=dict)
    events: dict[UUID, WebhookEvent] = field(default_factory=dict)
    deliveries: dict[UUID, Delivery] = field(default_factory=dict)
    attempts: dict[UUID, dict[int, Attempt]] = field(default_factory=dict)
    tokens: dict[UUID, UUID] = field(default_factory=dict)
    positions: count[int] = field(default_factory=lambda: count(1))

    def publish(self, event: WebhookEvent, only: UUID | None = None) -> Sequence[UUID]:
        """The deliveries of an event, by id; none of one that is there already."""
        if event.id in self.events:
            return []
        wanting = [
            one
            for one in self.subscriptions.values()
            if (one.wants(event) if only is None else one.id == only)
        ]
        if wanting:
            self.events[event.id] = event
        made = [self._delivery(event, one) for one in wanting]
        self.deliveries |= {one.id: one for one in made}
        return [one.id for one in made]

    def _delivery(self, event: WebhookEvent, subscription: Subscription) -> Delivery:
        pending = Delivery(
            id=uuid4(),
            subscription_id=subscription.id,
            event_id=event.id,
            event_type=event.type,
            occurred_at=event.occurred_at,
            due_at=event.occurred_at,
            position=next(self.positions),
        )
        return pending if subscription.is_enabled else pending.skipped(at=event.occurred_at)

    def of_subscription(self, subscription_id: UUID) -> list[Delivery]:
        """Its deliveries, the earliest first."""
        return [one for one in self.deliveries.values() if one.subscription_id == subscription_id]
