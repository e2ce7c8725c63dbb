"""Webhooks to test, over each store there is."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest

from adapters.memory.webhook_deliveries import MemoryWebhookDeliveries
from adapters.memory.webhook_queue import MemoryWebhookQueue
from adapters.memory.webhook_store import WebhookStore
from adapters.memory.webhook_subscriptions import MemoryWebhookSubscriptions
from adapters.postgres.database import Database
from adapters.postgres.webhook_deliveries import PostgresWebhookDeliveries
from adapters.postgres.webhook_queue import PostgresWebhookQueue
from adapters.postgres.webhook_subscriptions import PostgresWebhookSubscriptions
from adapters.sealing.aes_gcm import AesGcmSealer
from application.ports.webhook_deliveries import WebhookDeliveries
from application.ports.webhook_queue import ClaimedDelivery, Recorded, Room, Standing, WebhookQueue
from application.ports.webhook_subscriptions import WebhookSubscriptions
from domain.webhooks.delivery import Answer, Attempt, Delivery, DeliveryFilter, DeliveryState
from domain.webhooks.event import WebhookEvent
from domain.webhooks.schedule import RetrySchedule
from domain.webhooks.secret import Secret
from domain.webhooks.subscription import Subscription
from tests.databases import SERVERS, fresh_database

NOW = datetime(2026, 1, 1, tzinfo=UTC)
OK = Answer(status=200, headers={"Server": "test"}, body=b"\x00\xff", is_truncated=True)
BROKEN = Answer(status=500)
KEYS = [secrets.token_urlsafe(32)]
SEALER = AesGcmSealer(lambda: KEYS)


def at(seconds: float) -> datetime:
    """A moment so many seconds on."""
    return NOW + timedelta(seconds=seconds)


def an_event(type: str = "execution.completed", seconds: float = 0, **fields: object) -> WebhookEvent:
    """Something that happened."""
    values = {"id": uuid4(), "type": type, "occurred_at": at(seconds), "data": {"tag": "nächtlich"}, **fields}
    return WebhookEvent(**values)  # type: ignore[arg-type]


@dataclass(frozen=True, slots=True)
class Desk:
    """The three sides of one store, and its subscriptions for who has another key."""

    subscriptions: WebhookSubscriptions
    deliveries: WebhookDeliveries
    queue: WebhookQueue
    with_another_key: WebhookSubscriptions

    async def subscribed(self, *event_types: str, **fields: object) -> Subscription:
        """A new subscription, to completed executions unless said otherwise."""
        values = {
            "id": uuid4(),
            "url": "https://example.org/hook",
            "event_types": event_types or ("execution.completed",),
            "secrets": (Secret(text="new"), Secret(text="öld", expires_at=at(60))),
            "headers": {"Authorization": "Bearer token"},
            "created_at": NOW,
            "updated_at": NOW,
            **fields,
        }
        subscription = Subscription(**values)  # type: ignore[arg-type]
        await self.subscriptions.add(subscription)
        return subscription

    async def claim(
        self, *subscriptions: Subscription, now: float = 0, most: int = 10, until: float = 100
    ) -> list[ClaimedDelivery]:
        """What is due of them."""
        rooms = [Room(subscription_id=one.id, most=most, is_ordered=one.is_ordered) for one in subscriptions]
        return list(await self.queue.claim(rooms, token=uuid4(), now=at(now), until=at(until)))

    async def record(self, *claims: ClaimedDelivery, answer: Answer = OK, now: float = 1) -> list[Standing]:
        """That each claim came to this answer."""
        return list(await self.queue.record([recorded(claim, answer, now) for claim in claims]))

    async def seen(self, delivery_id: UUID) -> Delivery:
        """A delivery as it stands."""
        return (await self.deliveries.get(delivery_id)).delivery

    async def states(self) -> list[DeliveryState]:
        """The states of all deliveries, the earliest first."""
        page = await self.deliveries.list(DeliveryFilter(), limit=1000)
        return [one.state for one in reversed(page.deliveries)]


def recorded(claim: ClaimedDelivery, answer: Answer, now: float) -> Recorded:
    """What is written of an attempt."""
    return Recorded(
        delivery=claim.delivery.attempted(answer, at=at(now), schedule=RetrySchedule(), randomness=0),
        token=claim.token,
        attempt=Attempt(
            delivery_id=claim.delivery.id,
            number=claim.delivery.attempts,
            started_at=at(now),
            duration_ms=12.5,
            request_headers={"webhook-id": str(claim.delivery.id)},
            answer=answer,
        ),
    )


def memory_desk(store: WebhookStore | None = None) -> Desk:
    """Webhooks in memory."""
    store = store or WebhookStore()
    return Desk(
        MemoryWebhookSubscriptions(store),
        MemoryWebhookDeliveries(store),
        MemoryWebhookQueue(store),
        MemoryWebhookSubscriptions(store, key="another"),
    )


def postgres_desk(database: Database) -> Desk:
    """Webhooks in PostgreSQL."""
    return Desk(
        PostgresWebhookSubscriptions(database, SEALER),
        PostgresWebhookDeliveries(database),
        PostgresWebhookQueue(database),
        PostgresWebhookSubscriptions(database, AesGcmSealer(lambda: [secrets.token_urlsafe(32)])),
    )


@pytest.fixture(params=["memory", *SERVERS])
async def desk(request: pytest.FixtureRequest) -> AsyncIterator[Desk]:
    """Each store there is."""
    if request.param == "memory":
        yield memory_desk()
        return
    async with fresh_database(request.getfixturevalue("postgres_url")) as database:
        yield postgres_desk(database)


def disabled(subscription: Subscription, seconds: float = 5) -> Subscription:
    """The subscription, disabled."""
    return replace(subscription).disabled("a test", at=at(seconds))
