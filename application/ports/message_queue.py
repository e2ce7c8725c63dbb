"""Carries message ids from whoever commits them to whoever processes them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Protocol
from uuid import UUID

from domain.errors import Conflict
from domain.json import JsonObject


class SubscriptionClosed(Conflict):
    """The subscription is closed, or its queue was deleted."""

    code = "subscription_closed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Envelope:
    """What travels: the address of a message in the ledger. The payload stays there until it is claimed."""

    message_id: UUID
    execution_id: UUID
    route_id: str


class Delivery(Protocol):
    """One envelope in a consumer's hands until it is acknowledged or released."""

    @property
    def envelope(self) -> Envelope:
        """What was delivered."""
        ...

    async def acknowledge(self) -> None:
        """Finish with it: it is not delivered again. Doing so twice, or after a release, changes nothing."""
        ...

    async def release(self) -> None:
        """Hand it back for another consumer, or for this one later. Not after an acknowledgement."""
        ...


class Subscription(Protocol):
    """One consumer of one queue."""

    async def receive(self) -> Delivery:
        """The next delivery; waits for one. Each is given to one consumer at a time.

        Raises SubscriptionClosed once the subscription is closed or its queue deleted.
        """
        ...


class MessageQueue(Protocol):
    """Named queues and broadcast topics. Safe for concurrent use by tasks of one event loop.

    A queue exists from the first publish or subscribe on; names are already scoped to their execution.
    Within one queue deliveries come in the order published, except after a release.
    """

    @property
    def is_private(self) -> bool:
        """Whether nobody outside of this process consumes its queues, so that messages may pass them by."""
        ...

    async def publish(self, queue: str, envelopes: Sequence[Envelope]) -> int:
        """Append envelopes; returns how many of them, from the front, were taken for good.

        A bounded queue takes what it has room for and never waits: the rest stays in the ledger, which feeds it in
        later. An envelope that already waits in the queue may be taken again or dropped as known, and counts as taken.
        Raises Unavailable when it is not known whether they were taken.
        """
        ...

    def subscribe(self, queue: str, *, prefetch: int) -> AbstractAsyncContextManager[Subscription]:
        """Consume a queue within an ``async with``; leaving it returns unacknowledged deliveries to the queue.

        At most ``prefetch`` deliveries are out to one subscription unacknowledged; several subscriptions share the work.
        """
        ...

    async def room(self, queue: str) -> int:
        """How many more envelopes the queue would take now; a large number when it is unbounded."""
        ...

    async def delete(self, queue: str) -> None:
        """Drop the queue with all in it and close its subscriptions; a queue that is not there is no error."""
        ...

    async def broadcast(self, topic: str, payload: JsonObject) -> None:
        """Give the payload to everyone listening to the topic at this moment, at most once; never waits for them."""
        ...

    def listen(self, topic: str) -> AbstractAsyncContextManager[AsyncIterator[JsonObject]]:
        """What is broadcast on the topic while the ``async with`` lasts; a slow listener loses the oldest."""
        ...
