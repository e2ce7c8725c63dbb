"""Webhook events and deliveries in PostgreSQL, for people."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from adapters.postgres.database import Database
from adapters.postgres.webhook_backlog import FORGET_ATTEMPTS, clear_backlog
from adapters.postgres.webhook_rows import (
    ATTEMPT_COLUMNS,
    DELIVERY_COLUMNS,
    DELIVERY_WIDTH,
    EVENT_COLUMNS,
    attempt_of,
    delivery_of,
    event_of,
    meant,
    publish,
)
from application.ports.counting import COUNTED_EXACTLY
from application.ports.webhook_deliveries import DeliveryPage, DeliveryRecord
from domain.webhooks.delivery import DeliveryFilter, DeliveryNotFound
from domain.webhooks.event import WebhookEvent

_OF_EVENT = "SELECT id FROM webhook_delivery WHERE event_id = %s ORDER BY position"

_LIST = f"""
    SELECT {DELIVERY_COLUMNS} FROM webhook_delivery d WHERE {{meant}} {{from_there}}
    ORDER BY d.position DESC LIMIT %(limit)s OFFSET %(offset)s
"""  # noqa: S608 (only our own constants are joined)

_FROM_THERE = "AND d.position < %(before)s"

_COUNT = "SELECT count(*) FROM (SELECT 1 FROM webhook_delivery d WHERE {meant} LIMIT %(most)s) AS counted"

_GET = f"""
    SELECT {DELIVERY_COLUMNS}, {EVENT_COLUMNS} FROM webhook_delivery d JOIN webhook_event e ON e.id = d.event_id
    WHERE d.id = %s
"""  # noqa: S608

_ATTEMPTS = f"SELECT {ATTEMPT_COLUMNS} FROM webhook_attempt WHERE delivery_id = %s ORDER BY number"  # noqa: S608

_REQUEUE = """
    UPDATE webhook_delivery SET state = 'pending', due_at = %(now)s, failures = 0, settled_at = NULL, claim_token = NULL
    WHERE id = ANY (ARRAY(
        SELECT d.id FROM webhook_delivery d
        WHERE {meant} AND d.state <> 'pending'
            AND EXISTS (SELECT FROM webhook_subscription s WHERE s.id = d.subscription_id AND s.is_enabled)
        ORDER BY d.position LIMIT %(limit)s FOR UPDATE SKIP LOCKED))
"""

_FORGET = """
    DELETE FROM webhook_delivery WHERE id = ANY (ARRAY(
        SELECT id FROM webhook_delivery WHERE state <> 'pending' AND settled_at < %(before)s
        ORDER BY settled_at LIMIT %(limit)s FOR UPDATE SKIP LOCKED))
    RETURNING id
"""

_FORGET_EVENTS = """
    DELETE FROM webhook_event WHERE id = ANY (ARRAY(
        SELECT e.id FROM webhook_event e WHERE e.occurred_at < %(before)s
            AND NOT EXISTS (SELECT FROM webhook_delivery d WHERE d.event_id = e.id)
        LIMIT %(limit)s))
"""


class PostgresWebhookDeliveries:
    """The ``WebhookDeliveries`` port over tables ``webhook_event``, ``webhook_delivery`` and ``webhook_attempt``."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def publish(self, event: WebhookEvent, *, only: UUID | None = None) -> Sequence[UUID]:
        """See the port."""
        async with self._database.transaction() as connection:
            await publish(connection, event, only)
            rows = await (await connection.execute(_OF_EVENT, (event.id,))).fetchall()
        return [row[0] for row in rows]

    async def list(
        self, wanted: DeliveryFilter, *, limit: int, offset: int = 0, before: int | None = None
    ) -> DeliveryPage:
        """See the port."""
        condition, values = meant(wanted)
        query = _LIST.format(meant=condition, from_there="" if before is None else _FROM_THERE)
        counting = values | {"most": COUNTED_EXACTLY + 1}
        values |= {"limit": limit + 1, "offset": offset, "before": before}
        async with self._database.transaction() as connection:
            rows = await (await connection.execute(query.encode(), values)).fetchall()
            counted = await connection.execute(_COUNT.format(meant=condition).encode(), counting)
            total = (await counted.fetchone() or (0,))[0]
        deliveries = [delivery_of(row) for row in rows[:limit]]
        return DeliveryPage(
            deliveries=deliveries,
            total=min(total, COUNTED_EXACTLY),
            is_total_exact=total <= COUNTED_EXACTLY,
            following=deliveries[-1].position if len(rows) > limit else None,
        )

    async def get(self, delivery_id: UUID) -> DeliveryRecord:
        """See the port."""
        async with self._database.transaction() as connection:
            row = await (await connection.execute(_GET, (delivery_id,))).fetchone()
            attempts = await (await connection.execute(_ATTEMPTS, (delivery_id,))).fetchall()
        if row is None:
            raise DeliveryNotFound
        return DeliveryRecord(
            delivery=delivery_of(row),
            event=event_of(row[DELIVERY_WIDTH:]),
            attempts=[attempt_of(one) for one in attempts],
        )

    async def requeue(self, wanted: DeliveryFilter, *, limit: int, now: datetime) -> int:
        """See the port."""
        condition, values = meant(wanted)
        query = _REQUEUE.format(meant=condition)
        async with self._database.transaction() as connection:
            return (await connection.execute(query.encode(), values | {"limit": limit, "now": now})).rowcount

    async def clear_backlog(self, *, limit: int) -> int:
        """See the port."""
        return await clear_backlog(self._database, limit=limit)

    async def forget(self, *, before: datetime, limit: int) -> int:
        """See the port."""
        values = {"before": before, "limit": limit}
        async with self._database.transaction() as connection:
            found = await connection.execute(_FORGET, values)
            gone = [row[0] for row in await found.fetchall()]
            await connection.execute(FORGET_ATTEMPTS, (gone,))
            events = (await connection.execute(_FORGET_EVENTS, values)).rowcount
        return len(gone) + events
