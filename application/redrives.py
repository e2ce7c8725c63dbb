"""Redrives of many dead letters, under way while whoever asked for them does something else."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from types import TracebackType
from typing import Self
from uuid import UUID

from application.dead_letters import DeadLetters, RedrivenExecution, require_anything
from application.engine.failures import described
from domain.dead_letter import DeadLetterFilter
from domain.errors import NotFound, Refused
from domain.json import JsonObject

log = logging.getLogger(__name__)

KEPT = 100
MOST_AT_ONCE = 4
MOST_REFUSALS = 100


class RedriveNotFound(NotFound):
    """There is no redrive with that id: the server keeps the last hundred while it runs."""

    code = "redrive_not_found"


class TooManyRedrives(Refused):
    """As many redrives as may be under way at once are."""

    code = "too_many_redrives"


class RedriveStatus(StrEnum):
    """How far a redrive has come. ``failed`` and ``stopped`` ones have done a part; to ask again is right."""

    RUNNING = "running"
    COMPLETED = "completed"
    FAILED = "failed"
    STOPPED = "stopped"


@dataclass(frozen=True, slots=True, kw_only=True)
class Redrive:
    """One redrive: ``messages`` are queued again, of ``executions``; ``refused`` tells why others were left (the first ones)."""

    id: UUID
    wanted: DeadLetterFilter
    status: RedriveStatus = RedriveStatus.RUNNING
    messages: int = 0
    executions: int = 0
    refused_executions: int = 0
    refused: Sequence[RedrivenExecution] = ()
    error: JsonObject | None = None
    started_at: datetime
    completed_at: datetime | None = None

    def after(self, one: RedrivenExecution) -> Redrive:
        """The redrive when one more execution has been dealt with."""
        counted = replace(
            self,
            messages=self.messages + one.messages,
            executions=self.executions + bool(one.messages),
        )
        if one.refusal is None:
            return counted
        refused = [*self.refused, one][:MOST_REFUSALS]
        return replace(counted, refused_executions=self.refused_executions + 1, refused=refused)


@dataclass(slots=True, kw_only=True)
class Redrives:
    """The redrives of this process, while ``async with`` lasts; leaving it stops them between two batches."""

    dead_letters: DeadLetters
    _kept: dict[UUID, Redrive] = field(default_factory=dict)
    _tasks: dict[UUID, asyncio.Task[None]] = field(default_factory=dict)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        for task in self._tasks.values():
            task.cancel()
        await asyncio.gather(*self._tasks.values(), return_exceptions=True)

    def begin(self, wanted: DeadLetterFilter, *, is_all_meant: bool = False) -> Redrive:
        """Begin to redrive those meant; returns at once. Raises NothingWanted, TooManyRedrives."""
        require_anything(wanted, is_all_meant=is_all_meant)
        if len(self._tasks) >= MOST_AT_ONCE:
            raise TooManyRedrives
        ports = self.dead_letters.engine.ports
        redrive = Redrive(id=ports.ids.new_id(), wanted=wanted, started_at=ports.clock.now())
        self._keep(redrive)
        task = asyncio.create_task(self._run(redrive), name=f"redrive {redrive.id}")
        self._tasks[redrive.id] = task
        task.add_done_callback(lambda _: self._tasks.pop(redrive.id, None))
        return redrive

    def get(self, redrive_id: UUID) -> Redrive:
        """One redrive as it stands; raises RedriveNotFound."""
        if redrive_id not in self._kept:
            raise RedriveNotFound
        return self._kept[redrive_id]

    async def ended(self, redrive_id: UUID) -> Redrive:
        """One redrive when it is over."""
        if redrive_id in self._tasks:
            await asyncio.wait([self._tasks[redrive_id]])
        return self.get(redrive_id)

    async def _run(self, redrive: Redrive) -> None:
        status, error = RedriveStatus.STOPPED, None
        try:
            async for one in self.dead_letters.redrive_all(redrive.wanted):
                redrive = redrive.after(one)
                self._keep(redrive)
            status = RedriveStatus.COMPLETED
        except Exception as failure:  # noqa: BLE001 (whatever it is stands in the redrive, for whoever asks)
            log.warning("redrive %s failed: %s", redrive.id, failure)
            status, error = RedriveStatus.FAILED, described(failure)
        finally:
            now = self.dead_letters.engine.ports.clock.now()
            self._keep(replace(redrive, status=status, error=error, completed_at=now))

    def _keep(self, redrive: Redrive) -> None:
        self._kept[redrive.id] = redrive
        while len(self._kept) > KEPT:
            del self._kept[next(iter(self._kept))]
