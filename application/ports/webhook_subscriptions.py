"""Keeps webhook subscriptions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol
from uuid import UUID

from domain.webhooks.event import WebhookEvent
from domain.webhooks.subscription import Subscription


class WebhookSubscriptions(Protocol):
    """Subscriptions with their secrets, which no store shows to whoever reads it past this port.

    Event types are kept as they are named, known to this version of the service or not.
    One whose secrets and headers were sealed with a key that is not there comes without them, not ``is_readable``.
    Raises Unavailable when the store cannot be reached.
    """

    async def add(self, subscription: Subscription) -> None:
        """Keep a new subscription; raises SubscriptionChanged when its id is taken."""
        ...

    async def get(self, subscription_id: UUID) -> Subscription:
        """One subscription, with how its endpoint stands; raises SubscriptionNotFound."""
        ...

    async def replace(
        self, subscription: Subscription, *, expected_version: int, event: WebhookEvent | None = None
    ) -> None:
        """Put a subscription in place of the one of a version; raises SubscriptionNotFound, SubscriptionChanged.

        Of one that is not ``is_readable`` the secrets and headers that are kept stay, for who has their key.
        The event is published with it, or neither happens. What is pending for a subscription that is not enabled
        becomes skipped, what is more than a few thousand by ``WebhookDeliveries.clear_backlog``: until then it is not
        sent, and enabling raises SubscriptionChanged. ``failing_since`` stays what attempts have made it, and is None
        for one that is enabled again or has another address; ``warned_at`` is None where ``failing_since`` is.
        """
        ...

    async def remove(self, subscription_id: UUID) -> None:
        """Forget a subscription with its deliveries and their attempts, many of them later; raises SubscriptionNotFound."""
        ...

    async def list(
        self, *, is_enabled: bool | None = None, event_type: str | None = None, limit: int, offset: int = 0
    ) -> tuple[Sequence[Subscription], int]:
        """A page of subscriptions, by creation, and how many there are in all."""
        ...

    async def versions(self) -> Mapping[UUID, int]:
        """The versions of the enabled ones, by id: what a worker compares with what it knows."""
        ...
