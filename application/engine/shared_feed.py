"""Keeps a route's queue filled where many processes share it, and where the queue keeps what it is given."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from math import inf
from uuid import UUID

from application.engine.availability import until_available
from application.engine.route_feed import MOST_AT_ONCE, RouteFeed, woken_or_due
from application.ports.message_queue import Envelope

FIRST_LOOK_SECONDS = 0.5
LONGEST_LOOK_SECONDS = 4.0
MOST_EXPECTED = 10_000


def _never() -> bool:
    return False


@dataclass(slots=True, kw_only=True)
class SharedFeed(RouteFeed):
    """Publishes what this process brings into being, and what has been lost; never what merely waits in the queue.

    A message can be queued in the ledger and in nobody's queue: whoever committed it died before publishing it, a retry
    fell due after its process had gone, or a sweep put it back. Three things bring such a message back:

    - a retry, or a delivery that could not be claimed, is looked for by its id when its time has come (``expect``);
    - who starts an execution fills its queues, and who sweeps offers what it has swept;
    - everything else shows when ``is_idle``: a consumer that could take more and is given nothing proves that nothing
      waits in the queue. What waits in the ledger in two looks of such a route is published then.

    A message that is published twice all the same is claimed once. ``jitter`` (0 to 1) keeps processes from looking at
    the same moment.
    """

    is_idle: Callable[[], bool] = _never
    jitter: float = 0.0
    _expected: dict[UUID, datetime] = field(default_factory=dict)
    _waited: frozenset[UUID] = frozenset()
    _pause: float = FIRST_LOOK_SECONDS
    _is_to_fill: bool = False
    _looked_at: float = -inf
    _look_at: float = 0.0

    async def offer(self, message_ids: Sequence[UUID]) -> None:
        """Publish messages that are in the ledger."""
        for start in range(0, len(message_ids), MOST_AT_ONCE):
            envelopes = [
                Envelope(message_id=message_id, execution_id=self.execution_id, route_id=self.route_id)
                for message_id in message_ids[start : start + MOST_AT_ONCE]
            ]
            taken = await until_available(
                lambda some=envelopes: self.ports.queue.publish(self.queue_name, some),  # type: ignore[misc]
                self.ports.clock.sleep,
            )
            if taken < len(envelopes):
                # A bounded queue is full; what it has no room for is found when it has run empty.
                self.look_in_ledger()
                return

    def look_in_ledger(self) -> None:
        """There may be messages in the ledger that the queue has not seen: look soon, and often for a while."""
        self._pause = FIRST_LOOK_SECONDS
        # Two looks say something only with a while between them.
        self._look_at = max(self.ports.clock.monotonic(), self._looked_at + FIRST_LOOK_SECONDS)
        self._awake.set()

    def fill(self) -> None:
        """Publish what waits in the ledger without a second look: nobody else has published anything yet."""
        self._is_to_fill = True
        self._look_at = -inf
        self._awake.set()

    def expect(self, due: datetime, message_id: UUID | None = None) -> None:
        """That message waits in the ledger until a moment; at that time it is looked for."""
        if message_id is None or len(self._expected) >= MOST_EXPECTED:
            self.look_in_ledger()
            return
        self._expected[message_id] = due
        self._awake.set()

    def consumed(self, message_id: UUID) -> None:
        """Where messages come from the queue, none is missing now."""
        del message_id
        self._waited = frozenset()

    async def wait_for_room(self) -> None:
        """There always is."""

    async def run(self) -> None:
        """Publish what is due, and look for what was lost, until cancelled."""
        while True:
            await woken_or_due(self._awake, self._next_moment(), self.ports.clock)
            # However often it is woken, the others have their turn.
            await asyncio.sleep(0)
            self._awake.clear()
            await self._publish_due()
            if self.ports.clock.monotonic() >= self._look_at:
                await self._look()

    def _next_moment(self) -> datetime:
        seconds = max(self._look_at - self.ports.clock.monotonic(), 0.0)
        return min([self.ports.clock.now() + timedelta(seconds=seconds), *self._expected.values()])

    async def _publish_due(self) -> None:
        now = self.ports.clock.now()
        due = {message_id for message_id, moment in self._expected.items() if moment <= now}
        if not due:
            return
        for message_id in due:
            del self._expected[message_id]
        # Not all that are due need be waiting: somebody may have dealt with them. Those that are, are old.
        waiting = await until_available(lambda: self._waiting(MOST_AT_ONCE, now), self.ports.clock.sleep)
        await self.offer([message_id for message_id in waiting if message_id in due])
        if len(waiting) >= MOST_AT_ONCE:
            self.look_in_ledger()

    async def _look(self) -> None:
        waiting: Sequence[UUID] = ()
        fills, self._is_to_fill = self._is_to_fill, False
        if fills or self.is_idle():
            now = self.ports.clock.now()
            waiting = await until_available(lambda: self._waiting(MOST_AT_ONCE, now), self.ports.clock.sleep)
        missing = [message_id for message_id in waiting if fills or message_id in self._waited]
        if missing and (fills or self.is_idle()):
            await self.offer(missing)
            waiting = ()
        self._waited = frozenset(waiting)
        self._pause = FIRST_LOOK_SECONDS if waiting else min(self._pause * 2, LONGEST_LOOK_SECONDS)
        self._looked_at = self.ports.clock.monotonic()
        self._look_at = self._looked_at + self._pause * (1 + self.jitter)
