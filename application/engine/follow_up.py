"""What follows a commit: children to their queues, then the acknowledgement, then the look-out for retries."""

from __future__ import annotations

import asyncio
import logging
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from application.engine.route_feed import RouteFeed
from application.ports.message_queue import Delivery
from domain.message import Message

log = logging.getLogger(__name__)

PATIENCE_SECONDS = 5.0
"""For so long a queue may take to confirm that it has the children."""
LITTLE_PATIENCE_SECONDS = 0.25
"""The same for a queue that has not done so the last time."""


@dataclass(slots=True, kw_only=True)
class FollowUp:
    """Of one route, for all its messages in the order in which they settle, and in batches.

    A message's delivery is acknowledged only when its children are with the queue: after a crash in between it comes
    again, and with it they do. But a queue that takes nothing for seconds, as a broker that is short of disk, must not
    be kept from giving: then what it holds is worked off, and the feeds find the children in the ledger when it takes
    again.
    """

    feeds: Mapping[str, RouteFeed]
    route_id: str
    at: Callable[[str], None]
    _published: list[Message] = field(default_factory=list)
    _deliveries: list[tuple[Delivery, datetime | None]] = field(default_factory=list)
    _awake: asyncio.Event = field(default_factory=asyncio.Event)
    _is_at_it: bool = False
    _patience: float = field(default_factory=lambda: PATIENCE_SECONDS)

    @property
    def is_done(self) -> bool:
        """Whether everything has been seen to."""
        return not (self._is_at_it or self._published or self._deliveries)

    def after(
        self, published: Sequence[Message], delivery: Delivery | None, *, returns_at: datetime | None = None
    ) -> None:
        """See to a message that is settled, or was not to be claimed; ``returns_at`` is when it may be waiting again."""
        if delivery is None and returns_at is not None:
            self.feeds[self.route_id].expect(returns_at)
        if published:
            self._published.extend(published)
        if delivery is not None:
            self._deliveries.append((delivery, returns_at))
        if published or delivery is not None:
            self._awake.set()

    async def run(self) -> None:
        """See to what comes until cancelled."""
        while True:
            await self._awake.wait()
            self._awake.clear()
            published, self._published = self._published, []
            deliveries, self._deliveries = self._deliveries, []
            self._is_at_it = True
            if published:
                await self._publish(published)
            self.at("published")
            for delivery, returns_at in deliveries:
                await self._acknowledge(delivery, returns_at)
            self._is_at_it = False

    async def _publish(self, messages: Sequence[Message]) -> None:
        try:
            async with asyncio.timeout(self._patience):
                await publish(messages, self.feeds)
        except TimeoutError:
            if self._patience == PATIENCE_SECONDS:  # once, however long it stays so
                log.warning(
                    "the queue takes no messages of the route %s; they wait in the ledger", self.route_id
                )
            self._patience = LITTLE_PATIENCE_SECONDS
            for route_id in {message.route_id for message in messages}:
                self.feeds[route_id].look_in_ledger()
        else:
            self._patience = PATIENCE_SECONDS

    async def _acknowledge(self, delivery: Delivery, returns_at: datetime | None) -> None:
        await delivery.acknowledge()
        self.at("acknowledged")
        feed = self.feeds[self.route_id]
        feed.consumed(delivery.envelope.message_id)
        if returns_at is not None:
            # Only now: a queue that still counts the message as out would not take it again.
            feed.expect(returns_at, delivery.envelope.message_id)


async def publish(messages: Sequence[Message], feeds: Mapping[str, RouteFeed]) -> None:
    """Offer messages that are in the ledger to the queues of their routes."""
    by_route: defaultdict[str, list[UUID]] = defaultdict(list)
    for message in messages:
        by_route[message.route_id].append(message.id)
    for route_id, message_ids in by_route.items():
        await feeds[route_id].offer(message_ids)
