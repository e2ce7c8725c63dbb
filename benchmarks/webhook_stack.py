"""Webhooks over an embedded PostgreSQL, as a server puts them together."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

from adapters.embedded_postgres.server import EmbeddedPostgres
from adapters.http_client.webhook_sender import HttpWebhookSender
from adapters.memory.event_bus import InProcessEventBus
from adapters.postgres.database import Database
from adapters.postgres.migration import migrate
from adapters.postgres.webhook_deliveries import PostgresWebhookDeliveries
from adapters.postgres.webhook_queue import PostgresWebhookQueue
from adapters.postgres.webhook_subscriptions import PostgresWebhookSubscriptions
from adapters.sealing.aes_gcm import AesGcmSealer
from adapters.system.clock import SystemClock
from adapters.system.id_source import SystemIdSource
from application.webhooks.attempting import Attempting
from application.webhooks.care import EndpointCare
from application.webhooks.delivery_worker import DeliveryWorker
from application.webhooks.subscriptions import fresh_secret
from domain.event import Event
from domain.outbound import OutboundPolicy, networks
from domain.webhooks.event import WebhookEvent
from domain.webhooks.secret import Secret
from domain.webhooks.subscription import Subscription

LOOPBACK = OutboundPolicy(allowed_networks=networks("127.0.0.0/8"), is_http_allowed=True)
EVENT_TYPE = "execution.completed"
_KEYS = [secrets.token_urlsafe(32)]
CLOCK, IDS = SystemClock(), SystemIdSource()


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookStack:
    """What is kept, and what sends."""

    database: Database
    subscriptions: PostgresWebhookSubscriptions
    deliveries: PostgresWebhookDeliveries
    queue: PostgresWebhookQueue
    sender: HttpWebhookSender
    bus: InProcessEventBus

    async def subscribed(self, url: str) -> Subscription:
        """A new endpoint."""
        now = CLOCK.now()
        subscription = Subscription(
            id=IDS.new_id(),
            url=url,
            event_types=(EVENT_TYPE,),
            secrets=(Secret(text=fresh_secret()),),
            created_at=now,
            updated_at=now,
        )
        await self.subscriptions.add(subscription)
        return subscription

    async def happened(self, data: str) -> UUID:
        """An event that the worker is told of, as of one of an execution of its process."""
        event = WebhookEvent(
            id=IDS.new_id(),
            type=EVENT_TYPE,
            occurred_at=CLOCK.now(),
            data={"text": data, "status": "completed"},
        )
        await self.deliveries.publish(event)
        self.bus.publish(Event(id=event.id, type=EVENT_TYPE, execution_id=event.id, at=event.occurred_at))
        return event.id

    def worker(self) -> DeliveryWorker:
        """One that is not at work yet."""
        return DeliveryWorker(
            queue=self.queue,
            subscriptions=self.subscriptions,
            attempting=Attempting(sender=self.sender, clock=CLOCK, ids=IDS),
            care=EndpointCare(subscriptions=self.subscriptions, clock=CLOCK, ids=IDS),
            events=self.bus,
        )

    async def pending(self, subscription: Subscription, count: int, data: str) -> None:
        """So many deliveries to one endpoint that are due, each of an event of its own."""
        values = {"subscription": subscription.id, "count": count, "type": EVENT_TYPE, "text": data}
        async with self.database.transaction() as connection:
            await connection.execute(_EVENTS, values)
            await connection.execute(_DELIVERIES, values)

    async def settled(self) -> None:
        """Return when no delivery is pending; to ask costs next to nothing, and is not done often."""
        while await self.number(_IS_PENDING):  # noqa: ASYNC110 (the database is where it shows)
            await asyncio.sleep(0.1)

    async def number(self, query: str, *values: object) -> float:
        """The one number that a query answers."""
        async with self.database.connection() as connection:
            row = await (await connection.execute(query.encode(), values)).fetchone()
        return 0.0 if row is None or row[0] is None else float(row[0])

    async def emptied(self) -> None:
        """Nothing is left, and the tables are as new."""
        async with self.database.transaction() as connection:
            await connection.execute(
                "TRUNCATE webhook_delivery, webhook_event, webhook_attempt, webhook_subscription"
            )


_IS_PENDING = "SELECT count(*) FROM (SELECT FROM webhook_delivery WHERE state = 'pending' LIMIT 1) AS pending"

_EVENTS = """
    INSERT INTO webhook_event (id, type, occurred_at, data)
    SELECT md5(%(subscription)s::text || n)::uuid, %(type)s, now(), jsonb_build_object('text', %(text)s::text)
    FROM generate_series(1, %(count)s) AS n
"""

_DELIVERIES = """
    INSERT INTO webhook_delivery (id, subscription_id, event_id, event_type, occurred_at, state, due_at)
    SELECT gen_random_uuid(), %(subscription)s, md5(%(subscription)s::text || n)::uuid, %(type)s, now(), 'pending', now()
    FROM generate_series(1, %(count)s) AS n
"""


@asynccontextmanager
async def webhook_stack(place: Path) -> AsyncIterator[WebhookStack]:
    """A stack over a fresh server, while the block lasts."""
    async with (
        EmbeddedPostgres(place / "postgres") as server,
        Database(lambda: server.url) as database,
        HttpWebhookSender(LOOPBACK) as sender,
    ):
        await migrate(database)
        yield WebhookStack(
            database=database,
            subscriptions=PostgresWebhookSubscriptions(database, AesGcmSealer(lambda: _KEYS)),
            deliveries=PostgresWebhookDeliveries(database),
            queue=PostgresWebhookQueue(database),
            sender=sender,
            bus=InProcessEventBus(),
        )
