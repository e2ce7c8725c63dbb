"""Redrives of many dead letters, under way while whoever asked for them does something else."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, replace

from application.background_jobs import BackgroundJobs, Job
from application.dead_letters import DeadLetters, RedrivenExecution, require_anything
from domain.dead_letter import DeadLetterFilter
from domain.errors import NotFound, Refused

MOST_REFUSALS = 100


class RedriveNotFound(NotFound):
    """There is no redrive with that id: the server keeps the last hundred while it runs."""

    code = "redrive_not_found"


class TooManyRedrives(Refused):
    """As many redrives as may be under way at once are."""

    code = "too_many_redrives"


@dataclass(frozen=True, slots=True, kw_only=True)
class Redrive(Job):
    """One redrive: ``messages`` are queued again, of ``executions``; ``refused`` tells why others were left (the first ones)."""

    wanted: DeadLetterFilter
    messages: int = 0
    executions: int = 0
    refused_executions: int = 0
    refused: Sequence[RedrivenExecution] = ()

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


class Redrives(BackgroundJobs[Redrive]):
    """The redrives of this process."""

    not_found = RedriveNotFound
    too_many = TooManyRedrives

    def __init__(self, *, dead_letters: DeadLetters) -> None:
        super().__init__(dead_letters.engine.ports.clock)
        self.dead_letters = dead_letters

    def begin(self, wanted: DeadLetterFilter, *, is_all_meant: bool = False) -> Redrive:
        """Begin to redrive those meant; returns at once. Raises NothingWanted, TooManyRedrives."""
        require_anything(wanted, is_all_meant=is_all_meant)
        ports = self.dead_letters.engine.ports
        return self._begin(Redrive(id=ports.ids.new_id(), wanted=wanted, started_at=ports.clock.now()))

    async def _steps(self, job: Redrive) -> AsyncIterator[Redrive]:
        async for one in self.dead_letters.redrive_all(job.wanted):
            job = job.after(one)
            yield job
