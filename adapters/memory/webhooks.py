"""Webhooks in memory: three sides of one store."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from itertools import count
from uuid import UUID, uuid4

from application.ports.webhook_deliveries import COUNTED_EXACTLY, DeliveryPage, DeliveryRecord
from application.ports.webhook_queue import ClaimedDelivery, Recorded, Room, Standing
from domain.webhooks.delivery import Attempt, Delivery, DeliveryFilter, DeliveryNotFound, DeliveryState
from domain.webhooks.event import WebhookEvent
from domain.webhooks.subscription import Subscription, SubscriptionChanged, SubscriptionNotFound


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
            one.id
            for one in self.store.events.values()
            if one.occurred_at < before and one.id not in needed
        ][:limit]
        for event_id in unneeded:
            del self.store.events[event_id]
        return len(old) + len(unneeded)


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
