"""Writes lineage to PostgreSQL, in batches and out of the way of the flow."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from itertools import islice
from types import TracebackType
from typing import Self

from adapters.postgres.database import Database
from adapters.postgres.lineage_connection import LineageConnection
from application.ports.readiness import ComponentHealth, Health
from domain.errors import Unavailable
from domain.lineage import LineageEntry

logger = logging.getLogger(__name__)

BATCH = 2000
ENOUGH = 250
"""How many make a write worth while. More at once keep PostgreSQL from settlements for longer, which shows in the time that
a message takes: a fifth more with 2,000, a tenth with 250."""
FIRST_BACKOFF_SECONDS = 0.1
LONGEST_BACKOFF_SECONDS = 5.0
CLOSE_SECONDS = 5.0


class PostgresLineageSink:
    """A bounded buffer in front of a connection of its own, written every ``flush_seconds`` or when 250 wait.

    While the database is away the buffer fills; what comes when ``capacity`` entries wait is dropped and counted.
    ``told`` is told of each entry, also of those. Leaving the ``async with`` writes what waits, for at most ``close_seconds``; the rest is dropped and counted too.
    """

    component = "lineage"

    def __init__(
        self,
        database: Database,
        *,
        capacity: int = 50_000,
        flush_seconds: float = 0.2,
        close_seconds: float = CLOSE_SECONDS,
        told: Callable[[LineageEntry], None] | None = None,
    ) -> None:
        self._told = told
        self._connection = LineageConnection(database)
        self._capacity = capacity
        self._flush_seconds = flush_seconds
        self._close_seconds = close_seconds
        self._waiting: deque[LineageEntry] = deque()
        self._taken = self._asked_for = self._finished = self._dropped = 0
        self._trouble: str | None = None
        self._something_waits, self._is_urgent = asyncio.Event(), asyncio.Event()
        self._progress = asyncio.Condition()
        self._writer: asyncio.Task[None] | None = None

    @property
    def dropped(self) -> int:
        return self._dropped

    async def check(self) -> ComponentHealth:
        """Degraded while what waits cannot be written: the flow goes on, and its lineage will have a gap."""
        if self._writer is None:
            message = "lineage is not being written"
            return ComponentHealth(name=self.component, health=Health.UNHEALTHY, message=message)
        waiting = len(self._waiting)
        trouble = self._trouble or ("the buffer is full" if waiting >= self._capacity else None)
        told = [] if trouble is None else [f"{waiting} entries wait: {trouble}"]
        if self._dropped:
            told.append(f"{self._dropped} entries were dropped since the start")
        return ComponentHealth(
            name=self.component,
            health=Health.HEALTHY if trouble is None else Health.DEGRADED,
            message="; ".join(told) or None,
            details={"waiting": waiting, "capacity": self._capacity, "dropped": self._dropped},
        )

    async def __aenter__(self) -> Self:
        self._writer = asyncio.create_task(self._write_for_ever(), name="lineage")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(self._close_seconds):
                await self.flush()
        if self._writer is not None:
            self._writer.cancel()
            await asyncio.gather(self._writer, return_exceptions=True)
            self._writer = None
        await self._connection.close()
        self._dropped += len(self._waiting)
        self._waiting.clear()
        if self._dropped:
            logger.warning("%d lineage entries were dropped since the start", self._dropped)

    def record(self, entry: LineageEntry) -> None:
        # Called for every hop, so it only appends: which of several entries of one id counts is settled on writing.
        if self._told is not None:
            self._told(entry)
        waiting = self._waiting
        if len(waiting) >= self._capacity:
            self._dropped += 1
            return
        waiting.append(entry)
        self._taken += 1
        if len(waiting) == 1:
            self._something_waits.set()
        elif len(waiting) == ENOUGH:
            self._is_urgent.set()

    async def flush(self) -> None:
        until = self._asked_for = self._taken
        self._is_urgent.set()
        async with self._progress:
            await self._progress.wait_for(lambda: self._finished >= until or self._writer is None)

    async def _write_for_ever(self) -> None:
        failures = 0
        while True:
            await self._something_waits.wait()
            with suppress(TimeoutError):
                async with asyncio.timeout(self._flush_seconds):
                    await self._is_urgent.wait()
            due = self._taken
            try:
                # What comes meanwhile waits for others, or else one small write would follow upon the other.
                while self._finished < max(due, self._asked_for) or len(self._waiting) >= ENOUGH:
                    await self._write_batch()
                    failures, self._trouble = 0, None
                self._is_urgent.clear()
                if not self._waiting:
                    self._something_waits.clear()
            except Unavailable as error:
                self._trouble = error.message
                logger.warning("lineage waits for the database: %s", error.message)
                await asyncio.sleep(min(FIRST_BACKOFF_SECONDS * 2**failures, LONGEST_BACKOFF_SECONDS))
                failures = min(failures + 1, 10)

    async def _write_batch(self) -> None:
        """The entries stay in the buffer until they are written, so it never holds more than its capacity."""
        batch = list(islice(self._waiting, BATCH))
        refused = await self._connection.write(batch)
        # In a statement of its own: what was dropped while the batch was being written is to stay counted.
        self._dropped += refused
        for _ in batch:
            self._waiting.popleft()
        self._finished += len(batch)
        async with self._progress:
            self._progress.notify_all()
