"""Webhook subscriptions in PostgreSQL."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from adapters.postgres.database import Database
from adapters.postgres.webhook_backlog import begin_clearing
from adapters.postgres.webhook_rows import SUBSCRIPTION_COLUMNS, publish, sealed_of, subscription_of
from application.ports.sealer import Sealer
from domain.webhooks.event import WebhookEvent
from domain.webhooks.subscription import Subscription, SubscriptionChanged, SubscriptionNotFound

_ADD = f"""
    INSERT INTO webhook_subscription ({SUBSCRIPTION_COLUMNS}) VALUES (
        %(id)s, %(url)s, %(description)s, %(event_types)s, %(config_id)s, %(execution_id)s, %(route_id)s,
        %(adapter_name)s, %(sealed)s, %(requests_per_second)s, %(timeout_seconds)s, %(is_ordered)s, %(is_enabled)s,
        %(disabled_at)s, %(disabled_reason)s, %(failing_since)s, %(warned_at)s, %(version)s, %(created_at)s,
        %(updated_at)s)
    ON CONFLICT (id) DO NOTHING
"""  # noqa: S608 (only our own constants are joined)

_GET = f"SELECT {SUBSCRIPTION_COLUMNS} FROM webhook_subscription WHERE id = %s"  # noqa: S608

_REPLACE = """
    UPDATE webhook_subscription SET
        url = %(url)s, description = %(description)s, event_types = %(event_types)s, config_id = %(config_id)s,
        execution_id = %(execution_id)s, route_id = %(route_id)s, adapter_name = %(adapter_name)s,
        sealed = coalesce(%(sealed)s, sealed),
        requests_per_second = %(requests_per_second)s, timeout_seconds = %(timeout_seconds)s,
        is_ordered = %(is_ordered)s, disabled_at = %(disabled_at)s, disabled_reason = %(disabled_reason)s,
        failing_since = CASE WHEN %(is_enabled)s::boolean AND NOT is_enabled OR url <> %(url)s THEN NULL
            ELSE failing_since END,
        warned_at = CASE WHEN %(is_enabled)s::boolean AND NOT is_enabled OR url <> %(url)s OR failing_since IS NULL
            THEN NULL ELSE %(warned_at)s::timestamptz END,
        is_enabled = %(is_enabled)s, version = %(version)s, updated_at = %(updated_at)s
    WHERE id = %(id)s AND version = %(expected_version)s
"""

# What waited while it was disabled is not sent afterwards: it is enabled only when all of that is put aside.
_IS_BEHIND = """
    SELECT FROM webhook_subscription s WHERE s.id = %s AND NOT s.is_enabled
        AND EXISTS (SELECT FROM webhook_delivery d WHERE d.subscription_id = s.id AND d.state = 'pending')
"""

_REMOVE = "DELETE FROM webhook_subscription WHERE id = %s"

_IS_WANTED = """
    (%(is_enabled)s::boolean IS NULL OR is_enabled = %(is_enabled)s)
    AND (%(event_type)s::text IS NULL OR %(event_type)s = ANY (event_types))
"""

_LIST = f"""
    SELECT {SUBSCRIPTION_COLUMNS} FROM webhook_subscription WHERE {_IS_WANTED}
    ORDER BY created_at, id LIMIT %(limit)s OFFSET %(offset)s
"""  # noqa: S608

_COUNT = f"SELECT count(*) FROM webhook_subscription WHERE {_IS_WANTED}"  # noqa: S608

_VERSIONS = "SELECT id, version FROM webhook_subscription WHERE is_enabled"


class PostgresWebhookSubscriptions:
    """The ``WebhookSubscriptions`` port over table ``webhook_subscription``; secrets and headers are sealed in it."""

    def __init__(self, database: Database, sealer: Sealer) -> None:
        self._database = database
        self._sealer = sealer

    async def add(self, subscription: Subscription) -> None:
        """See the port."""
        async with self._database.transaction() as connection:
            cursor = await connection.execute(_ADD, self._values(subscription))
        if not cursor.rowcount:
            raise SubscriptionChanged("a subscription of that id exists already")

    async def get(self, subscription_id: UUID) -> Subscription:
        """See the port."""
        async with self._database.connection() as connection:
            row = await (await connection.execute(_GET, (subscription_id,))).fetchone()
        if row is None:
            raise SubscriptionNotFound
        return subscription_of(row, self._sealer)

    async def replace(
        self, subscription: Subscription, *, expected_version: int, event: WebhookEvent | None = None
    ) -> None:
        """See the port."""
        values = self._values(subscription) | {"expected_version": expected_version}
        if subscription.is_enabled and await self._is_behind(subscription.id):
            await begin_clearing(self._database)
        async with self._database.transaction() as connection:
            if (
                subscription.is_enabled
                and (await connection.execute(_IS_BEHIND, (subscription.id,))).rowcount
            ):
                raise SubscriptionChanged("what waited is still being skipped: enable it again in a minute")
            if not (await connection.execute(_REPLACE, values)).rowcount:
                if not (await connection.execute(_GET, (subscription.id,))).rowcount:
                    raise SubscriptionNotFound
                raise SubscriptionChanged
            if event is not None:
                await publish(connection, event)
        if not subscription.is_enabled:
            await begin_clearing(self._database)

    async def remove(self, subscription_id: UUID) -> None:
        """See the port."""
        async with self._database.transaction() as connection:
            if not (await connection.execute(_REMOVE, (subscription_id,))).rowcount:
                raise SubscriptionNotFound
        await begin_clearing(self._database)

    async def list(
        self, *, is_enabled: bool | None = None, event_type: str | None = None, limit: int, offset: int = 0
    ) -> tuple[Sequence[Subscription], int]:
        """See the port."""
        wanted = {"is_enabled": is_enabled, "event_type": event_type, "limit": limit, "offset": offset}
        async with self._database.transaction() as connection:
            rows = await (await connection.execute(_LIST, wanted)).fetchall()
            total = await (await connection.execute(_COUNT, wanted)).fetchone()
        return [subscription_of(row, self._sealer) for row in rows], total[0] if total else 0

    async def versions(self) -> Mapping[UUID, int]:
        """See the port."""
        async with self._database.connection() as connection:
            return dict(await (await connection.execute(_VERSIONS)).fetchall())

    async def _is_behind(self, subscription_id: UUID) -> bool:
        async with self._database.connection() as connection:
            return bool((await connection.execute(_IS_BEHIND, (subscription_id,))).rowcount)

    def _values(self, subscription: Subscription) -> dict[str, Any]:
        names = (
            "id", "url", "description", "requests_per_second", "timeout_seconds", "is_ordered", "is_enabled",
            "disabled_at", "disabled_reason", "failing_since", "warned_at", "version", "created_at", "updated_at",
        )  # fmt: skip
        filters = ("config_id", "execution_id", "route_id", "adapter_name")
        return {
            **{name: getattr(subscription, name) for name in names},
            **{name: getattr(subscription.filters, name) for name in filters},
            "event_types": list(subscription.event_types),
            "sealed": sealed_of(subscription, self._sealer) if subscription.is_readable else None,
        }
