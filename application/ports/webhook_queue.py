"""Deliveries that are due, for those who send them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Protocol
from uuid import UUID

from domain.values import quickly_made
from domain.webhooks.delivery import Attempt, Delivery
from domain.webhooks.event import WebhookEvent


@dataclass(frozen=True, slots=True, kw_only=True)
class Room:
    """How many deliveries of a subscription may be taken up now."""

    subscription_id: UUID
    most: int
    is_ordered: bool = False


@quickly_made
@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimedDelivery:
    """A delivery to send once, while the token holds; ``version`` is that of the subscription by now."""

    delivery: Delivery
    event: WebhookEvent
    token: UUID
    version: int


@quickly_made
@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """What came of a claim: the delivery as it is after the attempt."""

    delivery: Delivery
    token: UUID
    attempt: Attempt

    def without_answer(self) -> Recorded:
        """The same without what the endpoint said besides its status."""
        bare = replace(self.attempt.answer, headers={}, body=b"", detail="the answer could not be kept")
        return replace(self, attempt=replace(self.attempt, answer=bare))


@quickly_made
@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """How an endpoint stands after a record: failing since a moment without a break, and warned of, or not."""

    failing_since: datetime | None = None
    warned_at: datetime | None = None


class WebhookQueue(Protocol):
    """Hands out due deliveries to any number of workers, each to one at a time.

    Raises Unavailable when the store cannot be reached; whether something was claimed or recorded is then unknown, and
    calling again is right.
    """

    async def claim(
        self, rooms: Sequence[Room], *, token: UUID, now: datetime, until: datetime
    ) -> Sequence[ClaimedDelivery]:
        """Take up what is due of enabled subscriptions, up to each one's room, the earliest due first.

        Nobody else gets them until the moment ``until``; then they are due again. Each claim counts as an attempt. Of an
        ordered subscription only its very earliest pending delivery is to be had, and nothing while that is claimed or
        not yet due.
        """
        ...

    async def release(self, claims: Sequence[ClaimedDelivery], *, now: datetime) -> None:
        """Give back claims whose requests were never sent: they are due now, and were no attempts.

        Claims that hold no more are passed over.
        """
        ...

    async def record(self, recorded: Sequence[Recorded]) -> Sequence[Standing]:
        """Write what came of claims; returns how each one's endpoint stands now. Again changes nothing.

        The attempt is kept in any case; the delivery changes only while the claim holds. One that was skipped meanwhile
        becomes delivered if it was.
        """
        ...
