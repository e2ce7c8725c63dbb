"""What a running server does now and then."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

from application.ports.clock import Clock
from domain.errors import FactflowError

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Chore:
    """Something to do at once and then every so many seconds; what it returns is of no concern."""

    name: str
    seconds: float
    do: Callable[[], Awaitable[object]]


@dataclass(slots=True, kw_only=True)
class Chores:
    """Does each of the chores, side by side, while ``async with`` lasts. One that fails is logged, and done again next time."""

    chores: Sequence[Chore]
    clock: Clock
    _tasks: list[asyncio.Task[None]] = field(default_factory=list)

    async def __aenter__(self) -> Self:
        self._tasks = [asyncio.create_task(self._repeat(one), name=one.name) for one in self.chores]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _repeat(self, chore: Chore) -> None:
        while True:
            try:
                await chore.do()
            except FactflowError as error:
                log.warning("%s: not done: %s", chore.name, error.message)
            except Exception:
                # A defect is to be seen, and must not end the chore for good.
                log.exception("%s: not done", chore.name)
            await self.clock.sleep(chore.seconds)
