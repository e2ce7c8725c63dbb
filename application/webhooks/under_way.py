"""What is at work and not done with, up to so much."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any


@dataclass(slots=True, kw_only=True, eq=False)
class UnderWay:
    """Tasks and futures until they are done; ``has_room`` is called when one ends while there are ``most``."""

    most: int
    has_room: Callable[[], None]
    _all: set[asyncio.Future[Any]] = field(default_factory=set)

    @property
    def is_full(self) -> bool:
        """Whether nothing more should be begun; what follows from what is under way may be."""
        return len(self._all) >= self.most

    def begin(self, work: Coroutine[Any, Any, None]) -> None:
        """Do something beside everything else."""
        self.add(asyncio.create_task(work))

    def add(self, one: asyncio.Future[Any]) -> None:
        """Count one until it is done."""
        self._all.add(one)
        one.add_done_callback(self._done)

    def _done(self, one: asyncio.Future[Any]) -> None:
        was_full = self.is_full
        self._all.discard(one)
        if was_full:
            self.has_room()

    async def close(self, grace_seconds: float) -> None:
        """Wait for all of it, and for what follows from it, so long; cancel what is left."""
        with suppress(TimeoutError):
            async with asyncio.timeout(grace_seconds):
                while self._all:
                    await asyncio.wait(self._all)
        late = list(self._all)
        for one in late:
            one.cancel()
        await asyncio.gather(*late, return_exceptions=True)
