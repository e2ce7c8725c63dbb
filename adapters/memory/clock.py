"""A clock that stands still until it is told."""

from __future__ import annotations

import asyncio
import heapq
from datetime import UTC, datetime, timedelta
from itertools import count

_EPOCH = datetime(2026, 1, 1, tzinfo=UTC)
_TURNS_OF_THE_LOOP = 20


class ManualClock:
    """Time for tests: it passes by ``advance`` alone, which wakes sleepers in the order they are due."""

    def __init__(self, start: datetime = _EPOCH) -> None:
        self._now = self._start = start.astimezone(UTC)
        self._order = count()
        self._sleepers: list[tuple[datetime, int, asyncio.Future[None]]] = []

    def now(self) -> datetime:
        return self._now

    def monotonic(self) -> float:
        return (self._now - self._start).total_seconds()

    async def sleep(self, seconds: float) -> None:
        if seconds <= 0:
            await asyncio.sleep(0)
            return
        woken: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        heapq.heappush(self._sleepers, (self._now + timedelta(seconds=seconds), next(self._order), woken))
        await woken

    async def advance(self, seconds: float) -> None:
        """Let the seconds pass. Between two moments at which someone wakes, the event loop turns twenty times,
        so that a woken task can sleep again within them.
        """
        until = self._now + timedelta(seconds=seconds)
        await self._settle()
        while self._sleepers and self._sleepers[0][0] <= until:
            self._now, _, woken = heapq.heappop(self._sleepers)
            if not woken.done():
                woken.set_result(None)
                await self._settle()
        self._now = until

    async def _settle(self) -> None:
        for _ in range(_TURNS_OF_THE_LOOP):
            await asyncio.sleep(0)
