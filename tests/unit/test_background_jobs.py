"""Work in the background: which of it is remembered."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from uuid import uuid4

import pytest

from adapters.system.clock import SystemClock
from application.background_jobs import KEPT, BackgroundJobs, Job, JobStatus
from domain.errors import NotFound, Refused


class Waits(BackgroundJobs[Job]):
    """Jobs that are over at once, but for those that are begun to last."""

    not_found = NotFound
    too_many = Refused

    def __init__(self) -> None:
        super().__init__(SystemClock())
        self.may_end = asyncio.Event()
        self._lasting: set[Job] = set()

    def begin(self, *, lasts: bool = False) -> Job:
        """Begin one."""
        job = Job(id=uuid4(), started_at=self._clock.now())
        if lasts:
            self._lasting.add(job)
        return self._begin(job)

    async def _steps(self, job: Job) -> AsyncIterator[Job]:
        if job in self._lasting:
            await self.may_end.wait()
        yield job


async def test_what_is_under_way_is_not_forgotten_for_what_came_later() -> None:
    """Nor at once when it is over; the first that ended is."""
    async with Waits() as jobs:
        lasting = jobs.begin(lasts=True)
        first, *_, last = [await jobs.ended(jobs.begin().id) for _ in range(KEPT)]
        assert jobs.get(lasting.id).status is JobStatus.RUNNING
        with pytest.raises(NotFound):
            jobs.get(first.id)
        jobs.may_end.set()
        await jobs.ended(lasting.id)
        await jobs.ended(jobs.begin().id)
        assert jobs.get(lasting.id).status is JobStatus.COMPLETED
        assert jobs.get(last.id) == last
