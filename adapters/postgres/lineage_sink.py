"""Writes lineage to PostgreSQL, in batches and out of the way of the flow."""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Sequence
from contextlib import suppress
from types import TracebackType
from typing import Self
from uuid import UUID

from adapters.postgres.database import Database
from adapters.postgres.lineage_connection import LineageConnection
from domain.errors import Unavailable
from domain.lineage import LineageEntry

logger = logging.getLogger(__name__)

BATCH = 500
FIRST_BACKOFF_SECONDS = 0.1
LONGEST_BACKOFF_SECONDS = 5.0


class PostgresLineageSink:
    """A bounded buffer in front of a connection of its own, written every ``flush_seconds`` or when 500 wait.

    While the database is away the buffer fills; what comes when ``capacity`` entries wait is dropped and counted.
    Leaving the ``async with`` writes what waits, for at most ``close_seconds``; the rest is dropped and counted too.
    """

    def __init__(
        self,
        database: Database,
        *,
        capacity: int = 50_000,
        flush_seconds: float = 0.2,
        close_seconds: float = 5.0,
    ) -> None:
        self._connection = LineageConnection(database)
        self._capacity = capacity
        self._flush_seconds = flush_seconds
        self._close_seconds = close_seconds
        self._waiting: OrderedDict[UUID, LineageEntry] = OrderedDict()
        self._taken = self._finished = self._dropped = 0
        self._something_waits, self._is_urgent = asyncio.Event(), asyncio.Event()
        self._progress = asyncio.Condition()
        self._writer: asyncio.Task[None] | None = None

    @property
    def dropped(self) -> int:
        return self._dropped

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
        if self._dropped:
            logger.warning("%d lineage entries were dropped since the start", self._dropped)

    def record(self, entry: LineageEntry) -> None:
        waiting = self._waiting.get(entry.id)
        if waiting is not None:
            if waiting.status.may_be_replaced_by(entry.status):
                self._waiting[entry.id] = entry
        elif len(self._waiting) >= self._capacity:
            self._dropped += 1
        else:
            self._waiting[entry.id] = entry
            self._taken += 1
            self._something_waits.set()
            if len(self._waiting) >= BATCH:
                self._is_urgent.set()

    async def flush(self) -> None:
        until = self._taken
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
            self._is_urgent.clear()
            try:
                while self._waiting:
                    await self._write_batch()
                    failures = 0
                self._something_waits.clear()
            except Unavailable as error:
                logger.warning("lineage waits for the database: %s", error.message)
                await asyncio.sleep(min(FIRST_BACKOFF_SECONDS * 2**failures, LONGEST_BACKOFF_SECONDS))
                failures = min(failures + 1, 10)

    async def _write_batch(self) -> None:
        batch = [self._waiting.popitem(last=False)[1] for _ in range(min(BATCH, len(self._waiting)))]
        try:
            refused = await self._connection.write(batch)
        except (Unavailable, asyncio.CancelledError):
            self._put_back(batch)
            raise
        self._dropped += refused
        await self._finish(len(batch))

    def _put_back(self, batch: Sequence[LineageEntry]) -> None:
        """To the front, unless something later was recorded of the same entry meanwhile."""
        for entry in reversed(batch):
            later = self._waiting.get(entry.id)
            if later is None:
                self._waiting[entry.id] = entry
            else:
                self._finished += 1
                self._waiting[entry.id] = later if entry.status.may_be_replaced_by(later.status) else entry
            self._waiting.move_to_end(entry.id, last=False)

    async def _finish(self, entries: int) -> None:
        self._finished += entries
        async with self._progress:
            self._progress.notify_all()
