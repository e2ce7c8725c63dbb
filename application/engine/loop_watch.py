"""Notices when something keeps the event loop from turning, and tells what."""

from __future__ import annotations

import asyncio
import logging
import sys
import threading
from dataclasses import dataclass, field
from datetime import datetime
from time import monotonic
from types import TracebackType
from typing import Self

from application.engine.loop_watch_stack import Culprit, culprit_in, is_idle, lines_of
from application.ports.clock import Clock
from domain.json import JsonObject

log = logging.getLogger(__name__)

LIMIT_SECONDS = 1.0
BEATS_PER_LIMIT = 4


@dataclass(slots=True, kw_only=True)
class Blockage:
    """One time that the loop stood still: since when, in what, and for how many seconds once that is known."""

    at: datetime
    stack: str
    culprit: Culprit | None
    seconds: float | None = None

    def told(self) -> JsonObject:
        """As JSON, for a health page."""
        culprit: JsonObject = self.culprit.told() if self.culprit else {}
        return {"at": self.at.isoformat(), "seconds": self.seconds, "stack": self.stack, **culprit}


@dataclass(slots=True, kw_only=True)
class LoopWatch:
    """Watches the event loop in which it is opened, from a thread of its own, while ``async with`` lasts.

    The loop gives a sign of life four times within the limit. When it is over the limit late, the thread looks at what
    the loop's thread is doing, and reports it once for each blockage.
    """

    clock: Clock
    limit_seconds: float = LIMIT_SECONDS
    blockages: int = 0
    last: Blockage | None = None
    _beat: float = field(default_factory=monotonic)
    _stop: threading.Event = field(default_factory=threading.Event)
    _tasks: list[asyncio.Task[None]] = field(default_factory=list)
    _thread: threading.Thread | None = None
    _loop_thread: int = 0

    async def __aenter__(self) -> Self:
        self._loop_thread, self._beat = threading.get_ident(), monotonic()
        self._tasks.append(asyncio.create_task(self._live(), name="loop watch"))
        self._thread = threading.Thread(target=self._watch, name="loop watch", daemon=True)
        self._thread.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._stop.set()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._thread is not None:
            await asyncio.to_thread(self._thread.join, self.limit_seconds)

    def told(self) -> JsonObject:
        """How often the loop was blocked, and the last time in full."""
        last = self.last
        return {"blockages": self.blockages, "last_blockage": last.told() if last else None}

    @property
    def _pause(self) -> float:
        return self.limit_seconds / BEATS_PER_LIMIT

    async def _live(self) -> None:
        while True:
            late = monotonic() - self._beat
            self._beat = monotonic()
            if self.last is not None and self.last.seconds is None:
                self.last.seconds = round(late, 3)
                log.warning("the event loop turns again after %.1f seconds", late)
            await asyncio.sleep(self._pause)

    def _watch(self) -> None:
        reported = 0.0
        while not self._stop.wait(self._pause):
            beat = self._beat
            if beat != reported and monotonic() - beat > self.limit_seconds and self._report(beat):
                reported = beat

    def _report(self, beat: float) -> bool:
        """Tell what the loop's thread is doing; False when it waits for events, and is merely short of time."""
        frame = sys._current_frames().get(self._loop_thread)  # noqa: SLF001 (the way to look at another thread)
        if frame is None or is_idle(frame) or self._beat != beat:
            return False
        blockage = Blockage(at=self.clock.now(), stack=lines_of(frame), culprit=culprit_in(frame))
        self.blockages += 1
        self.last = blockage
        log.warning(
            "the event loop has been blocked for more than %g seconds by %s; nothing else runs meanwhile\n%s",
            self.limit_seconds,
            blockage.culprit or "something that is no pipeline adapter",
            blockage.stack,
        )
        return True
