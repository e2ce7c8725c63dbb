"""Ends what takes longer than it may."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable
from dataclasses import dataclass, field
from typing import TypeVar

from application.engine.panics import failure_by

Result = TypeVar("Result")

LOOKS_PER_LIMIT = 10
LONGEST_PAUSE_SECONDS = 1.0


@dataclass(slots=True, kw_only=True)
class Deadlines:
    """One limit in seconds for many pieces of work, watched by one task instead of a timer for each.

    What is over the limit is cancelled, up to a tenth of the limit late; what does not heed it is cancelled again at
    every look.
    """

    seconds: float
    _began: dict[asyncio.Task[object], float] = field(default_factory=dict)
    _cancelled: Counter[asyncio.Task[object]] = field(default_factory=Counter)
    _loop: asyncio.AbstractEventLoop | None = None

    async def watch(self) -> None:
        """Look after the limit until cancelled."""
        pause = min(self.seconds / LOOKS_PER_LIMIT, LONGEST_PAUSE_SECONDS)
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(pause)
            until = loop.time() - self.seconds
            for task in [task for task, began in self._began.items() if began < until]:
                self._cancelled[task] += 1
                task.cancel()

    async def keep(self, work: Awaitable[Result]) -> Result:
        """The result of a task's one piece of work at a time; raises TimeoutError, WorkCancelled, AdapterPanicked.

        CancelledError passes only when the task itself was cancelled: one that the work brings along is its failure,
        and so is all else that is no Exception, but for KeyboardInterrupt and GeneratorExit.
        """
        # Asked for once: Python up to 3.11 asks the system for the process's id each time.
        loop = self._loop = self._loop or asyncio.get_running_loop()
        task = asyncio.current_task(loop)
        if task is None:  # pragma: no cover (a coroutine runs in a task)
            raise RuntimeError("no task is running")
        self._began[task] = loop.time()
        try:
            return await work
        except Exception:
            raise
        except BaseException as error:
            if isinstance(error, asyncio.CancelledError) and self._settle(task):
                raise TimeoutError(f"it took longer than {self.seconds:g} seconds") from error
            raise failure_by(error) from error
        finally:
            del self._began[task]
            self._settle(task)

    def _settle(self, task: asyncio.Task[object]) -> bool:
        """Take back our own cancellations; whether there were any and nobody else's."""
        ours = self._cancelled.pop(task, 0) if self._cancelled else 0
        for _ in range(ours):
            task.uncancel()
        return bool(ours) and not task.cancelling()
