"""Hears the channel over which processes tell each other of events."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Callable
from types import TracebackType
from typing import Self

from adapters.postgres.database import Connection, Database
from adapters.postgres.translation import DatabaseUnavailable, translating
from domain.errors import FactflowError

log = logging.getLogger(__name__)

CHANNEL = "factflow_event"
LOOK_SECONDS = 5.0
ANSWER_SECONDS = 10.0
FIRST_BACKOFF_SECONDS = 0.1
LONGEST_BACKOFF_SECONDS = 5.0


class EventEar:
    """Hands over what is told on the channel, from a connection of its own, while ``async with`` lasts.

    A connection that breaks is made again, at growing intervals; ``begin`` is called whenever one hears.
    """

    def __init__(self, database: Database, receive: Callable[[str], None], begin: Callable[[], None]) -> None:
        self._database, self._receive, self._begin = database, receive, begin
        self._connection: Connection | None = None
        self._task: asyncio.Task[None] | None = None
        self.trouble: str | None = None

    async def __aenter__(self) -> Self:
        self._connection = await self._listening()
        self._task = asyncio.create_task(self._hear_for_ever(self._connection), name="events heard")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        if self._connection is not None:
            await self._connection.close()

    async def _listening(self) -> Connection:
        connection = await self._database.connect("factflow events")
        try:
            with translating():
                await connection.execute(f"LISTEN {CHANNEL}")
        except BaseException:
            await connection.close()
            raise
        self.trouble = None
        self._begin()
        return connection

    async def _hear_for_ever(self, connection: Connection) -> None:
        while True:
            try:
                await self._hear(connection)
            except FactflowError as error:
                self.trouble = f"events of other processes are missed: {error.message}"
                log.warning("%s", self.trouble)
            await connection.close()
            connection = self._connection = await self._listening_again()
            log.info("events of other processes are heard again")

    async def _hear(self, connection: Connection) -> None:
        with translating():
            while True:
                # Waiting for notices we are told at once when the connection ends, but not when the network does.
                async for notice in connection.notifies(timeout=LOOK_SECONDS):
                    self._receive(notice.payload)
                try:
                    async with asyncio.timeout(ANSWER_SECONDS):
                        await connection.execute("SELECT 1")
                except TimeoutError as error:
                    raise DatabaseUnavailable("the connection for events is silent") from error

    async def _listening_again(self) -> Connection:
        failures = 0
        while True:
            await asyncio.sleep(backoff(failures))
            try:
                return await self._listening()
            except FactflowError as error:
                self.trouble = f"events of other processes are missed: {error.message}"
                failures += 1


def backoff(failures: int) -> float:
    """Seconds to wait after so many failures, never the same for two processes."""
    longest = min(FIRST_BACKOFF_SECONDS * 2.0 ** min(failures, 10), LONGEST_BACKOFF_SECONDS)
    return random.uniform(0.5, 1.0) * longest  # noqa: S311 (chance, not a secret)
