"""Keeps a route's queue filled from the ledger."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from application.engine.availability import until_available
from application.engine.ports import EnginePorts
from application.ports.clock import Clock
from application.ports.message_queue import Envelope

MOST_AT_ONCE = 1000
FULL_PAUSE_SECONDS = 0.1


@dataclass(slots=True, kw_only=True)
class RouteFeed:
    """Offers a route's messages to its queue; what the queue has no room for stays in the ledger until it has.

    ``run`` sleeps until messages were left behind and half of the window has been consumed, or a retry is due.
    """

    ports: EnginePorts
    execution_id: UUID
    route_id: str
    queue_name: str
    _is_behind: bool = False
    _out: set[UUID] = field(default_factory=set)
    _low_water: int = 0
    _due: datetime | None = None
    _awake: asyncio.Event = field(default_factory=asyncio.Event)
    _room: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def is_clear(self) -> bool:
        """Whether nothing of the route waits in its queue, nor in the ledger for want of room in it."""
        return not self._is_behind and not self._out

    async def offer(self, message_ids: Sequence[UUID]) -> None:
        """Publish messages that are in the ledger; those that find no room are fed in later."""
        if not message_ids:
            return
        envelopes = [
            Envelope(message_id=message_id, execution_id=self.execution_id, route_id=self.route_id)
            for message_id in message_ids
        ]
        # Noted before: a queue may deliver them before it confirms that it has them.
        self._out.update(message_ids)
        taken = await until_available(
            lambda: self.ports.queue.publish(self.queue_name, envelopes), self.ports.clock.sleep
        )
        self._out.difference_update(message_ids[taken:])
        if taken < len(envelopes):
            self._low_water = len(self._out) // 2
            self.look_in_ledger()

    def look_in_ledger(self) -> None:
        """There may be messages in the ledger that the queue has not seen."""
        self._is_behind = True
        self._room.clear()
        if len(self._out) <= self._low_water:
            self._awake.set()

    def expect(self, due: datetime, message_id: UUID | None = None) -> None:
        """A message waits in the ledger until a moment; all that is due then is looked for, whichever it is."""
        del message_id
        if self._due is None or due < self._due:
            self._due = due
            self._awake.set()

    def consumed(self, message_id: UUID) -> None:
        """A message that was delivered has been dealt with."""
        self._out.discard(message_id)
        if self._is_behind and len(self._out) <= self._low_water:
            self._awake.set()

    async def wait_for_room(self) -> None:
        """Return when nothing waits in the ledger for want of room in the queue."""
        if self._is_behind:
            await self._room.wait()

    async def run(self) -> None:
        """Feed the queue until cancelled."""
        while True:
            await self._wait()
            # Woken by ``expect`` before its time, there is only the timer to set anew.
            if self._is_behind or self._is_due():
                await self._refill()

    def _is_due(self) -> bool:
        return self._due is not None and self._due <= self.ports.clock.now()

    async def _wait(self) -> None:
        if self._due is None:
            await self._awake.wait()
        else:
            await woken_or_due(self._awake, self._due, self.ports.clock)
        self._awake.clear()

    async def _refill(self) -> None:
        room = await until_available(lambda: self.ports.queue.room(self.queue_name), self.ports.clock.sleep)
        room = min(room, MOST_AT_ONCE)
        if room <= 0:
            await self._wait_for_consumption()
            return
        now = self.ports.clock.now()
        self._is_behind, self._due = False, None
        # What is out is still queued in the ledger until it is claimed, so it may come again; the queue knows it.
        limit = room + len(self._out)
        waiting = await until_available(lambda: self._waiting(limit, now), self.ports.clock.sleep)
        self._out = set()
        await self.offer(waiting)
        if len(waiting) >= limit:
            self._low_water = len(self._out) // 2
            self.look_in_ledger()
        await self._expect_next(now)
        if not self._is_behind:
            self._room.set()

    async def _wait_for_consumption(self) -> None:
        """There is no room: whatever is due is found by the refill that room brings."""
        self._due = None
        self._low_water = len(self._out) // 2
        self._is_behind = True
        if not self._out:
            # The room is taken by what others published; nothing will tell us when it is free.
            await self.ports.clock.sleep(FULL_PAUSE_SECONDS)
            self._awake.set()

    async def _waiting(self, limit: int, now: datetime) -> Sequence[UUID]:
        return await self.ports.ledger.waiting(self.execution_id, self.route_id, limit=limit, now=now)

    async def _expect_next(self, now: datetime) -> None:
        due = await until_available(
            lambda: self.ports.ledger.next_due(self.execution_id, self.route_id, after=now),
            self.ports.clock.sleep,
        )
        if due is not None:
            self.expect(due)


async def woken_or_due(awake: asyncio.Event, due: datetime, clock: Clock) -> None:
    """Return when it is awake, or when the moment has come."""
    seconds = (due - clock.now()).total_seconds()
    if seconds <= 0:
        return
    either = [asyncio.ensure_future(awake.wait()), asyncio.ensure_future(clock.sleep(seconds))]
    try:
        await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for one in either:
            one.cancel()
        await asyncio.gather(*either, return_exceptions=True)
