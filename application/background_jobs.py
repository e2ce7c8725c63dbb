"""Work that goes on while whoever asked for it does something else."""

from __future__ import annotations

import asyncio
import logging
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from types import TracebackType
from typing import ClassVar, Generic, Self, TypeVar
from uuid import UUID

from application.engine.failures import described
from application.ports.clock import Clock
from domain.errors import NotFound, Refused
from domain.json import JsonObject

log = logging.getLogger(__name__)

KEPT = 100
MOST_AT_ONCE = 4


class JobStatus(StrEnum):
    """How far a job has come. ``failed`` and ``stopped`` ones have done a part; to ask again is right."""

    RUNNING = "running"
    COMPLETED = "completed"
    FAILED = "failed"
    STOPPED = "stopped"


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """What every job tells of itself; ``error`` is problem details without a status."""

    id: UUID
    status: JobStatus = JobStatus.RUNNING
    error: JsonObject | None = None
    started_at: datetime
    completed_at: datetime | None = None


OneJob = TypeVar("OneJob", bound=Job)


class BackgroundJobs(ABC, Generic[OneJob]):
    """The jobs of one sort in this process, while ``async with`` lasts; leaving it stops them between two steps.

    At most four are under way at once. A hundred are remembered: those under way, and those that ended last.
    """

    not_found: ClassVar[type[NotFound]]
    too_many: ClassVar[type[Refused]]

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._kept: dict[UUID, OneJob] = {}
        self._tasks: dict[UUID, asyncio.Task[None]] = {}

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        for task in self._tasks.values():
            task.cancel()
        await asyncio.gather(*self._tasks.values(), return_exceptions=True)

    def get(self, job_id: UUID) -> OneJob:
        """One job as it stands; raises ``not_found``."""
        if job_id not in self._kept:
            raise self.not_found
        return self._kept[job_id]

    async def ended(self, job_id: UUID) -> OneJob:
        """One job when it is over."""
        if job_id in self._tasks:
            await asyncio.wait([self._tasks[job_id]])
        return self.get(job_id)

    def _begin(self, job: OneJob) -> OneJob:
        """Begin it; returns at once. Raises ``too_many``."""
        if len(self._tasks) >= MOST_AT_ONCE:
            raise self.too_many
        self._keep(job)
        task = asyncio.create_task(self._run(job), name=f"{type(job).__name__.lower()} {job.id}")
        self._tasks[job.id] = task
        task.add_done_callback(lambda _: self._tasks.pop(job.id, None))
        return job

    @abstractmethod
    def _steps(self, job: OneJob) -> AsyncIterator[OneJob]:
        """Do the work; yields the job after each step."""

    async def _run(self, job: OneJob) -> None:
        status, error = JobStatus.STOPPED, None
        try:
            async for job in self._steps(job):  # noqa: B020, PLR1704 (it is the same job, one step further)
                self._keep(job)
            status = JobStatus.COMPLETED
        except Exception as failure:  # noqa: BLE001 (whatever it is stands in the job, for whoever asks)
            log.warning("%s %s failed: %s", type(job).__name__.lower(), job.id, failure)
            status, error = JobStatus.FAILED, described(failure)
        finally:
            self._keep(replace(job, status=status, error=error, completed_at=self._clock.now()))

    def _keep(self, job: OneJob) -> None:
        # To the end, so that one which was long under way is not the first to be forgotten when it is over.
        self._kept.pop(job.id, None)
        self._kept[job.id] = job
        if len(self._kept) > KEPT:
            ended = (one.id for one in self._kept.values() if one.status is not JobStatus.RUNNING)
            del self._kept[next(ended)]
