"""The endings of executions that are under way in this process, one for each execution."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine, Iterator
from dataclasses import dataclass, field
from uuid import UUID

log = logging.getLogger(__name__)


@dataclass(slots=True, kw_only=True)
class Endings:
    """Runs endings so that nobody who brings one about waits for it; ``over`` is told of each that is over."""

    over: Callable[[UUID], None]
    _tasks: dict[UUID, asyncio.Task[None]] = field(default_factory=dict)

    def __contains__(self, execution_id: UUID) -> bool:
        return execution_id in self._tasks

    def __iter__(self) -> Iterator[UUID]:
        return iter(self._tasks)

    def begin(self, execution_id: UUID, ending: Coroutine[None, None, None]) -> None:
        """Begin one; when one of that execution is under way, this one is not wanted."""
        if execution_id in self._tasks:
            ending.close()
            return
        task = asyncio.create_task(ending, name=f"end {execution_id}")
        self._tasks[execution_id] = task
        task.add_done_callback(lambda task: self._end(execution_id, task))

    def follow(self, execution_id: UUID, ending: Callable[[], Coroutine[None, None, None]]) -> None:
        """Begin one that is wanted whatever is under way, behind that."""
        before = self._tasks.pop(execution_id, None)
        self.begin(execution_id, ending() if before is None else _behind(before, ending))

    async def wait(self, execution_id: UUID) -> None:
        """Return when an ending that is under way is over, however it went."""
        task = self._tasks.get(execution_id)
        if task is not None:
            await asyncio.wait([task])

    async def wait_for_all(self) -> None:
        """The same for all of them."""
        await asyncio.gather(*self._tasks.values(), return_exceptions=True)

    def _end(self, execution_id: UUID, task: asyncio.Task[None]) -> None:
        if self._tasks.get(execution_id) is task:
            del self._tasks[execution_id]
            self.over(execution_id)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("the end of execution %s was not followed up", execution_id, exc_info=error)


async def _behind(before: asyncio.Task[None], ending: Callable[[], Coroutine[None, None, None]]) -> None:
    await asyncio.wait([before])
    await ending()
