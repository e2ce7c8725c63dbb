"""Keeps something on a channel in being: what is lost is set up again."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Generic, Protocol, TypeVar

import aiormq

from adapters.rabbitmq.line import Line
from adapters.rabbitmq.timing import Timing
from adapters.rabbitmq.translation import translating
from domain.backoff import full_jitter
from domain.errors import FactflowError, Unavailable

log = logging.getLogger(__name__)


class Holding(Protocol):
    """What is kept in being; ``lost`` gets the reason when it is no more."""

    lost: asyncio.Future[str]

    async def close(self) -> None:
        """Give it up on purpose."""
        ...


H = TypeVar("H", bound=Holding)


class Tending(Generic[H]):
    """Sets a holding up over the line's connection, again after each loss, from ``start`` to ``stop``.

    What the broker refuses outright ends it: ``refused`` is told the error, and nothing is tried again.
    """

    def __init__(
        self,
        what: str,
        set_up: Callable[[aiormq.abc.AbstractConnection], Awaitable[H]],
        refused: Callable[[FactflowError], None],
        *,
        line: Line,
        timing: Timing,
    ) -> None:
        self.what = what
        self.present: H | None = None
        self._set_up = set_up
        self._refused = refused
        self._line = line
        self._timing = timing
        self._task: asyncio.Task[None] | None = None
        self._tried = asyncio.Event()

    async def start(self) -> None:
        """Begin, and return when it is set up or refused, or when the broker did not answer in time."""
        self._task = asyncio.create_task(self._tend(), name=f"rabbitmq {self.what}")
        with suppress(TimeoutError):
            async with asyncio.timeout(self._timing.answer):
                await self._tried.wait()

    async def stop(self) -> None:
        """End it, and close what is there."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    def cease(self) -> None:
        """End it without waiting."""
        if self._task is not None:
            self._task.cancel()

    async def _tend(self) -> None:
        failures, trouble = 0, ""
        while True:
            connection = await self._line.connection()
            try:
                with translating():
                    async with asyncio.timeout(self._timing.answer):
                        holding = await self._set_up(connection)
            except Unavailable as error:
                # What stays as it is for long, as a full connection does, is said once.
                level = logging.DEBUG if error.message == trouble else logging.WARNING
                log.log(level, "%s could not be set up: %s", self.what, error)
                trouble = error.message
            except FactflowError as error:
                self._refused(error)
                self._tried.set()
                return
            except Exception:
                # A defect; but a consumer that is not put back would hold up its run for ever.
                log.exception("%s could not be set up", self.what)
            else:
                trouble = ""
                began = asyncio.get_running_loop().time()
                await self._hold(holding)
                if asyncio.get_running_loop().time() - began > self._timing.settled_after:
                    failures = 0
            self._tried.set()
            pause = full_jitter(self._timing.first_pause, failures, random.random())  # noqa: S311 - no secret
            failures += 1
            await asyncio.sleep(min(pause, self._timing.longest_pause))

    async def _hold(self, holding: H) -> None:
        self.present = holding
        self._tried.set()
        try:
            reason = await holding.lost
            log.warning("%s was lost and is set up again: %s", self.what, reason)
        finally:
            self.present = None
            with suppress(Exception), translating():
                async with asyncio.timeout(self._timing.answer):
                    await holding.close()


def lost_with(channel: aiormq.abc.AbstractChannel) -> asyncio.Future[str]:
    """A future that gets the reason when the channel is closed by anybody, or its consumer is cancelled by the broker."""
    lost: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    def lose(reason: str) -> None:
        if not lost.done():
            lost.set_result(reason)

    def closed(closing: asyncio.Future[object]) -> None:
        error = None if closing.cancelled() else closing.exception()
        lose(str(error) or type(error).__name__ if error is not None else "the channel was closed")

    channel.closing.add_done_callback(closed)
    channel.on_consumer_cancel_callbacks.add(lambda _: lose("the broker cancelled the consumer"))
    return lost
