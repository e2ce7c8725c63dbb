"""Due deliveries in memory, for those who send them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from uuid import UUID

from adapters.memory.webhook_store import WebhookStore
from application.ports.webhook_queue import ClaimedDelivery, Recorded, Room, Standing
from domain.webhooks.delivery import Delivery, DeliveryState


@dataclass(slots=True)
class MemoryWebhookQueue:
    """The ``WebhookQueue`` port over a ``WebhookStore``."""

    store: WebhookStore = field(default_factory=WebhookStore)

    async def claim(
        self, rooms: Sequence[Room], *, token: UUID, now: datetime, until: datetime
    ) -> Sequence[ClaimedDelivery]:
        """See the port."""
        return [
            self._claimed(one, token, until)
            for room in rooms
            for one in self._due(room, now)
            if self.store.subscriptions[room.subscription_id].is_enabled
        ]

    async def release(self, claims: Sequence[ClaimedDelivery], *, now: datetime) -> None:
        """See the port."""
        for claim in claims:
            held = self.store.deliveries.get(claim.delivery.id)
            is_held = self.store.tokens.get(claim.delivery.id) == claim.token
            if held is not None and is_held and held.state is DeliveryState.PENDING:
                self.store.deliveries[held.id] = replace(held, due_at=now, attempts=held.attempts - 1)
                del self.store.tokens[held.id]

    async def record(self, recorded: Sequence[Recorded]) -> Sequence[Standing]:
        """See the port."""
        for one in recorded:
            self._write(one)
        well = {
            one.delivery.subscription_id for one in recorded if one.delivery.state is DeliveryState.DELIVERED
        }
        for one in recorded:
            self._stand(one, is_well=one.delivery.subscription_id in well)
        return [self._standing(one) for one in recorded]

    def _due(self, room: Room, now: datetime) -> list[Delivery]:
        if room.subscription_id not in self.store.subscriptions:
            return []
        pending = [
            one
            for one in self.store.of_subscription(room.subscription_id)
            if one.state is DeliveryState.PENDING
        ]
        candidates = pending[:1] if room.is_ordered else pending
        due = [one for one in candidates if one.due_at is not None and one.due_at <= now]
        return sorted(due, key=lambda one: (one.due_at, one.position))[: room.most]

    def _claimed(self, delivery: Delivery, token: UUID, until: datetime) -> ClaimedDelivery:
        claimed = replace(delivery, due_at=until, attempts=delivery.attempts + 1)
        self.store.deliveries[delivery.id] = claimed
        self.store.tokens[delivery.id] = token
        return ClaimedDelivery(
            delivery=claimed,
            event=self.store.events[delivery.event_id],
            token=token,
            version=self.store.subscriptions[delivery.subscription_id].version,
        )

    def _write(self, recorded: Recorded) -> None:
        delivery = recorded.delivery
        before = self.store.deliveries.get(delivery.id)
        if before is None:
            return
        self.store.attempts.setdefault(delivery.id, {}).setdefault(recorded.attempt.number, recorded.attempt)
        is_open = before.state is DeliveryState.PENDING or (
            before.state is DeliveryState.SKIPPED and delivery.state is DeliveryState.DELIVERED
        )
        if is_open and self.store.tokens.get(delivery.id) == recorded.token:
            self.store.deliveries[delivery.id] = delivery
            del self.store.tokens[delivery.id]

    def _stand(self, recorded: Recorded, *, is_well: bool) -> None:
        subscription = self.store.subscriptions.get(recorded.delivery.subscription_id)
        if subscription is None:
            return
        if is_well:
            after = replace(subscription, failing_since=None, warned_at=None)
        else:
            since = subscription.failing_since or recorded.delivery.last_attempt_at
            after = replace(subscription, failing_since=since)
        self.store.subscriptions[subscription.id] = after

    def _standing(self, recorded: Recorded) -> Standing:
        subscription = self.store.subscriptions.get(recorded.delivery.subscription_id)
        if subscription is None or recorded.delivery.state is DeliveryState.DELIVERED:
            return Standing()
        return Standing(failing_since=subscription.failing_since, warned_at=subscription.warned_at)
