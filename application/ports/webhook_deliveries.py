"""The events that subscriptions are told of, and the deliveries that tell them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol
from uuid import UUID

from domain.webhooks.delivery import Attempt, Delivery, DeliveryFilter
from domain.webhooks.event import WebhookEvent


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryPage:
    """A page of deliveries.

    ``total`` counts all that are meant up to COUNTED_EXACTLY: ``is_total_exact`` tells whether that is all.
    ``following`` is the position before which the next page begins, None on the last one.
    """

    deliveries: Sequence[Delivery]
    total: int
    is_total_exact: bool = True
    following: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryRecord:
    """A delivery with all that is known of it, the attempts in their order."""

    delivery: Delivery
    event: WebhookEvent
    attempts: Sequence[Attempt] = ()


class WebhookDeliveries(Protocol):
    """What is kept of events and deliveries, for people; ``WebhookQueue`` is the side of those who send.

    An event makes a delivery for every subscription that wants it, in the transaction that it happens in: pending for
    an enabled one, skipped for a disabled one. Nothing is kept of an event that no subscription wants.
    Raises Unavailable when the store cannot be reached.
    """

    async def publish(self, event: WebhookEvent, *, only: UUID | None = None) -> Sequence[UUID]:
        """Make the deliveries of an event that the service itself has to tell; returns their ids.

        ``only`` names the one subscription that gets it, whatever that has asked for.
        """
        ...

    async def list(
        self, wanted: DeliveryFilter, *, limit: int, offset: int = 0, before: int | None = None
    ) -> DeliveryPage:
        """A page of the deliveries meant, the latest first, from before a position, passing over ``offset`` more."""
        ...

    async def get(self, delivery_id: UUID) -> DeliveryRecord:
        """One delivery with its event and attempts; raises DeliveryNotFound."""
        ...

    async def requeue(self, wanted: DeliveryFilter, *, limit: int, now: datetime) -> int:
        """Let up to ``limit`` of the settled deliveries meant be sent again, the earliest first; returns how many.

        They are due now, with all their attempts. Those of disabled subscriptions stay as they are.
        """
        ...

    async def clear_backlog(self, *, limit: int) -> int:
        """Skip up to ``limit`` of what is pending for disabled subscriptions, and forget as many of removed ones.

        Returns how many it were; what somebody else is writing is left for the next time.
        """
        ...

    async def forget(self, *, before: datetime, limit: int) -> int:
        """Forget up to ``limit`` deliveries that were settled before a moment, and as many earlier events nobody needs.

        Returns how many it were of both: 0 when nothing of that age is left.
        """
        ...
