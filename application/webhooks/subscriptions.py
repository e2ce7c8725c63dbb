"""Subscriptions: who is told of what."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlsplit, urlunsplit
from uuid import UUID

from application.ports.clock import Clock
from application.ports.id_source import IdSource
from application.ports.webhook_sender import WebhookSender
from application.ports.webhook_subscriptions import WebhookSubscriptions
from domain.errors import Refused
from domain.webhooks.endpoint_health import DISABLED_BY_HAND
from domain.webhooks.event import WebhookEvent
from domain.webhooks.event_types import DISABLED
from domain.webhooks.filters import EventFilter
from domain.webhooks.secret import KEY_BYTES, Secret, rotated, secret_of
from domain.webhooks.subscription import (
    Subscription,
    SubscriptionChanged,
    SubscriptionUnreadable,
    require_known,
)

MOST_SUBSCRIPTIONS = 1000


class TooManySubscriptions(Refused):
    """There are as many subscriptions as there may be: remove one that nobody needs."""

    code = "too_many_subscriptions"


@dataclass(frozen=True, slots=True, kw_only=True)
class Subscriptions:
    """What can be done with subscriptions. ``changed`` is called when a worker should look."""

    subscriptions: WebhookSubscriptions
    sender: WebhookSender
    clock: Clock
    ids: IdSource
    changed: Callable[[], None] = lambda: None

    async def create(
        self,
        *,
        url: str,
        event_types: Sequence[str],
        secret: str | None = None,
        filters: EventFilter | None = None,
        **fields: Any,
    ) -> Subscription:
        """A new subscription, with a fresh secret unless one is given.

        Raises InvalidUrl, DestinationRefused, UnknownEventType, InvalidSubscription, InvalidSecret,
        TooManySubscriptions.
        """
        self.sender.examine(url)
        require_known(event_types)
        now = self.clock.now()
        subscription = Subscription(
            id=self.ids.new_id(),
            url=url,
            event_types=tuple(event_types),
            secrets=(Secret(text=fresh_secret() if secret is None else secret),),
            filters=filters or EventFilter(),
            created_at=now,
            updated_at=now,
            **fields,
        )
        if not subscription.is_enabled:
            subscription = replace(subscription, disabled_at=now, disabled_reason=DISABLED_BY_HAND)
        _, total = await self.subscriptions.list(limit=1)
        if total >= MOST_SUBSCRIPTIONS:
            raise TooManySubscriptions
        await self.subscriptions.add(subscription)
        self.changed()
        return subscription

    async def get(self, subscription_id: UUID) -> Subscription:
        """One subscription; raises SubscriptionNotFound."""
        return await self.subscriptions.get(subscription_id)

    async def list(
        self,
        *,
        is_enabled: bool | None = None,
        event_type: str | None = None,
        limit: int = 100,
        offset: int = 0,
    ) -> tuple[Sequence[Subscription], int]:
        """A page of subscriptions, by creation, and how many there are in all."""
        return await self.subscriptions.list(
            is_enabled=is_enabled, event_type=event_type, limit=limit, offset=offset
        )

    async def update(
        self, subscription_id: UUID, changes: Mapping[str, Any], *, expected_version: int | None = None
    ) -> Subscription:
        """Change some of a subscription's fields; ``is_enabled`` among them enables or disables it.

        Raises SubscriptionNotFound, SubscriptionChanged, and what ``create`` raises; SubscriptionUnreadable when one
        that cannot be read should get headers or be enabled.
        """
        if "url" in changes:
            self.sender.examine(changes["url"])
        require_known(changes.get("event_types", ()))
        before = await self.subscriptions.get(subscription_id)
        if expected_version is not None and before.version != expected_version:
            raise SubscriptionChanged
        if not before.is_readable and ("headers" in changes or changes.get("is_enabled")):
            raise SubscriptionUnreadable
        now = self.clock.now()
        plain = {name: value for name, value in changes.items() if name != "is_enabled"}
        after = before.changed(plain, at=now) if plain else before
        is_enabled = changes.get("is_enabled", before.is_enabled)
        after = after.enabled(at=now) if is_enabled else after.disabled(DISABLED_BY_HAND, at=now)
        if after is before:
            return before
        is_off = before.is_enabled and not after.is_enabled
        event = disabled_event(after, self.ids.new_id()) if is_off else None
        await self.subscriptions.replace(after, expected_version=before.version, event=event)
        self.changed()
        return after

    async def rotate(
        self, subscription_id: UUID, *, secret: str | None = None, keep_seconds: float = 86_400.0
    ) -> Subscription:
        """Put a new secret in force; the one before signs too for so long, so that a receiver can change over.

        One that could not be read can be read from then on, with this secret alone and without headers.
        Raises SubscriptionNotFound, SubscriptionChanged, InvalidSecret, TooManySecrets.
        """
        before = await self.subscriptions.get(subscription_id)
        now = self.clock.now()
        until: datetime | None = now + timedelta(seconds=keep_seconds) if keep_seconds > 0 else None
        text = fresh_secret() if secret is None else secret
        kept = rotated(before.secrets, text, old_until=until, now=now)
        after = before.changed({"secrets": kept, "is_readable": True}, at=now)
        await self.subscriptions.replace(after, expected_version=before.version)
        self.changed()
        return after

    async def remove(self, subscription_id: UUID, *, expected_version: int | None = None) -> None:
        """Forget a subscription with all its deliveries.

        Raises SubscriptionNotFound, SubscriptionChanged when it is found in another version than the expected one.
        """
        if expected_version is not None:
            found = await self.subscriptions.get(subscription_id)
            if found.version != expected_version:
                raise SubscriptionChanged
        await self.subscriptions.remove(subscription_id)
        self.changed()


def fresh_secret() -> str:
    """A secret that nobody can guess."""
    return secret_of(secrets.token_bytes(KEY_BYTES))


def disabled_event(subscription: Subscription, event_id: UUID) -> WebhookEvent:
    """What is told of a subscription that was just disabled."""
    return endpoint_event(
        DISABLED,
        subscription,
        event_id,
        at=subscription.updated_at,
        reason=subscription.disabled_reason or DISABLED_BY_HAND,
    )


def endpoint_event(
    event_type: str, subscription: Subscription, event_id: UUID, *, at: datetime, reason: str
) -> WebhookEvent:
    """What is told of a subscription; of its address without the query, which may hold a key."""
    since = subscription.failing_since
    data = {
        "subscription_id": str(subscription.id),
        "url": urlunsplit((*urlsplit(subscription.url)[:3], "", "")),
        "reason": reason,
        "failing_since": None if since is None else since.isoformat().replace("+00:00", "Z"),
    }
    return WebhookEvent(id=event_id, type=event_type, occurred_at=at, data=data)
