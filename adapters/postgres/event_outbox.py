"""What this process has to tell the others, and the task that tells it."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from itertools import islice
from types import TracebackType
from typing import Self
from uuid import UUID

from adapters.postgres.database import Database
from adapters.postgres.event_letters import Words, letters, payloads
from adapters.postgres.event_link import CHANNEL, backoff
from adapters.postgres.translation import DatabaseUnavailable
from domain.errors import FactflowError
from domain.event import Event

log = logging.getLogger(__name__)

PAUSE_SECONDS = 0.01
"""The least time between two tellings: events that come meanwhile travel together."""

AT_ONCE = 200
WRITE_SECONDS = 10.0
CLOSE_SECONDS = 2.0

# What is told is not kept, so its commit need not wait for the disk. The payloads of one transaction stay together.
_TELL = """
    SELECT set_config('synchronous_commit', 'off', true), pg_notify(%s, told.payload)
    FROM unnest(%s::text[]) WITH ORDINALITY AS told (payload, position) ORDER BY told.position
"""


class EventOutbox:
    """A bounded buffer that one task empties, several events at a time, while ``async with`` lasts.

    With the events goes what ``words`` answers; it is asked at least every ``beat_seconds``, and soon after ``hurry``. While the
    database is away events wait: no more than ``capacity`` of messages, and twice as many with those of executions;
    the rest is dropped and counted. Leaving tells what waits, for at most two seconds.
    """

    def __init__(
        self,
        database: Database,
        sender: UUID,
        words: Callable[[], Words],
        *,
        capacity: int,
        beat_seconds: float,
    ) -> None:
        self._database, self._sender, self._words, self._capacity = database, sender, words, capacity
        self._beat = beat_seconds
        self._waiting: deque[Event] = deque()
        self._letter = 0
        self._wake = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._is_closing = False
        self.dropped = 0
        self.trouble: str | None = None

    def __len__(self) -> int:
        return len(self._waiting)

    def add(self, event: Event) -> None:
        """Have the event told; never waits."""
        room = self._capacity if event.is_of_message else 2 * self._capacity
        if self._task is None or len(self._waiting) >= room:
            self.dropped += 1
            return
        self._waiting.append(event)
        self._wake.set()

    def hurry(self) -> None:
        """Ask for words now."""
        self._wake.set()

    async def __aenter__(self) -> Self:
        self._is_closing = False
        self._task = asyncio.create_task(self._tell_for_ever(), name="events told")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        task, self._task = self._task, None
        if task is not None:
            self._is_closing = True
            self._wake.set()
            await asyncio.wait({task}, timeout=CLOSE_SECONDS)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        self.dropped += len(self._waiting)
        self._waiting.clear()
        if self.dropped:
            log.warning("%d events were not told to other processes since the start", self.dropped)

    async def _tell_for_ever(self) -> None:
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(self._beat):
                    await self._wake.wait()
            self._wake.clear()
            is_last = self._is_closing
            while (words := self._words()) or self._waiting:
                await self._tell_some(words)
                if not is_last:
                    await asyncio.sleep(PAUSE_SECONDS)
            if is_last:
                return

    async def _tell_some(self, words: Words) -> None:
        events = list(islice(self._waiting, AT_ONCE))
        told: list[str] = []
        for letter in letters(events, words):
            self._letter += 1
            told += payloads(self._sender, self._letter, letter)
        await self._told(told)
        for _ in events:
            self._waiting.popleft()

    async def _told(self, told: Sequence[str]) -> None:
        """Tell until it has succeeded; what arrives twice is known by its number."""
        failures = 0
        while True:
            try:
                await self._tell(told)
            except FactflowError as error:
                self.trouble = f"other processes are not told of events: {error.message}"
                if not failures:
                    log.warning("%s", self.trouble)
                await asyncio.sleep(backoff(failures))
                failures += 1
            else:
                self.trouble = None
                return

    async def _tell(self, told: Sequence[str]) -> None:
        try:
            async with asyncio.timeout(WRITE_SECONDS), self._database.connection() as connection:
                await connection.execute(_TELL, (CHANNEL, list(told)))
        except TimeoutError as error:
            raise DatabaseUnavailable(
                f"the database took no event for {WRITE_SECONDS:.0f} seconds"
            ) from error
