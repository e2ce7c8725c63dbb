"""So many at once: slots that are taken and given back, first come, first served."""

from __future__ import annotations

import asyncio
from collections import deque
from contextlib import suppress


class Slots:
    """A number of slots for the tasks of one event loop.

    ``limit`` may change at any time, also to 0; whoever has a slot keeps it. ``was_full`` remembers, until it is set
    to False, that somebody had to wait because every slot was taken.
    """

    __slots__ = ("_limit", "_waiting", "taken", "was_full")

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._waiting: deque[asyncio.Future[None]] = deque()
        self.taken = 0
        self.was_full = False

    @property
    def limit(self) -> int:
        """How many may be taken now."""
        return self._limit

    @property
    def waiting(self) -> int:
        """How many tasks wait for one."""
        return len(self._waiting)

    def resize(self, limit: int) -> None:
        """Change how many may be taken; the next in line get what becomes free."""
        self._limit = limit
        self._hand_out()

    async def take(self) -> None:
        """Wait for a slot; whoever is cancelled meanwhile has none."""
        if self.taken < self._limit and not self._waiting:
            self.taken += 1
            return
        if self._limit:
            self.was_full = True
        await self._wait()

    def give_back(self) -> None:
        """Free a slot that was taken."""
        self.taken -= 1
        if self._waiting:
            self._hand_out()

    async def _wait(self) -> None:
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if turn.cancelled():
                with suppress(ValueError):
                    self._waiting.remove(turn)
            else:
                # The turn came in the very moment of the cancellation: it is the next one's.
                self.give_back()
            raise

    def _hand_out(self) -> None:
        while self._waiting and self.taken < self._limit:
            turn = self._waiting.popleft()
            if not turn.done():
                self.taken += 1
                turn.set_result(None)
