"""Takes up what was left unfinished: at start, and while running when a worker's lease runs out."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from types import TracebackType
from typing import Self
from uuid import UUID

from application.engine.availability import until_available
from application.engine.engine import Engine
from application.engine.failures import described
from application.engine.snapshot import pipeline_of
from application.engine.stopping import stopped
from application.engine.suspects import Suspects
from application.ports.leases import Leases
from domain.errors import Unavailable
from domain.event import Event
from domain.execution import Execution, ExecutionStatus, StatusChangeNotAllowed

log = logging.getLogger(__name__)

RENEWALS_PER_LEASE = 3
LEASES_REMEMBERED = timedelta(days=1)


@dataclass(slots=True, kw_only=True)
class Recovery:
    """Holds this process's lease while ``async with`` lasts, and resumes executions from the ledger on entering.

    ``is_alone``: nobody else can be using the ledger (its folder is locked by us), so whoever holds a lease is dead.
    Otherwise owners are gone when their lease has run out, but nobody judges that who could not renew its own lease
    until a moment ago: then the database was away, and the others have had no chance to renew theirs either.
    After every renewal the ``chores`` are done and suspects run; what fails is logged and done again with the next.
    """

    engine: Engine
    leases: Leases
    is_alone: bool
    chores: Sequence[Callable[[], Awaitable[object]]] = ()
    _tasks: list[asyncio.Task[None]] = field(default_factory=list)
    _renewed: asyncio.Event = field(default_factory=asyncio.Event)
    _suspects: Suspects = field(init=False)
    _held_until: datetime | None = None
    _held_since: datetime | None = None

    def __post_init__(self) -> None:
        self._suspects = Suspects(engine=self.engine)

    async def __aenter__(self) -> Self:
        await until_available(self._take_over, self.engine.ports.clock.sleep)
        self._tasks = [
            asyncio.create_task(self._keep(), name="lease"),
            asyncio.create_task(self._attend(), name="recovery"),
        ]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.stand_down()
        with suppress(Unavailable):
            await self.leases.give_up(self.engine.ports.owner)

    async def stand_down(self) -> None:
        """Renew, sweep and resume no more: the end has come, or another server has taken our place."""
        await stopped(self._tasks, "recovery")

    async def _take_over(self) -> None:
        await self._renew()
        if self.is_alone:
            await self._forget_the_dead()
        await self._sweep(grace_seconds=0.0)
        await self._resume_all()
        self._renewed.set()

    async def _keep(self) -> None:
        ports = self.engine.ports
        while True:
            await ports.clock.sleep(ports.settings.lease / RENEWALS_PER_LEASE)
            try:
                await self._renew()
                await self._sweep(grace_seconds=ports.settings.lease)
                await self._resume_all()
            except Unavailable as error:
                log.warning("the lease could not be renewed: %s", error)
            except Exception:
                log.exception("recovery failed and will be tried again")
            self._renewed.set()

    async def _attend(self) -> None:
        # Apart from the keeper: a suspect may take its time, and the lease must be renewed meanwhile.
        while True:
            await self._renewed.wait()
            self._renewed.clear()
            await self._do_chores()

    async def _do_chores(self) -> None:
        for chore in (*self.chores, self._suspects.look):
            try:
                await chore()
            except Unavailable as error:
                log.warning("what is done with every renewal has to wait: %s", error)
            except Exception:
                log.exception("what is done with every renewal failed and will be tried again")

    async def _renew(self) -> None:
        ports = self.engine.ports
        now = ports.clock.now()
        until = now + timedelta(seconds=ports.settings.lease)
        await self.leases.hold(ports.owner, until=until, executions=self.engine.running)
        if self._held_until is None or self._held_until <= now:
            self._held_since = now
        self._held_until = until

    async def _forget_the_dead(self) -> None:
        ports = self.engine.ports
        for lease in await self.leases.holders(now=ports.clock.now()):
            if lease.owner != ports.owner:
                await self.leases.give_up(lease.owner)

    def _may_judge(self, now: datetime) -> bool:
        lease = timedelta(seconds=self.engine.ports.settings.lease)
        return self.is_alone or (self._held_since is not None and now - self._held_since >= lease)

    async def _sweep(self, *, grace_seconds: float) -> None:
        """Take from the dead what they had; executions younger than the grace may not be in a lease yet."""
        ports = self.engine.ports
        now = ports.clock.now()
        if not self._may_judge(now):
            return
        # Ours are looked up before anything is awaited, so none that began later is missing among those kept.
        kept = set(self.engine.running)
        leases = await self.leases.holders(now=now)
        kept.update(*(lease.executions for lease in leases))
        swept = await ports.executions.sweep(
            live_owners=[*(lease.owner for lease in leases), ports.owner],
            kept=list(kept),
            begun_by=now - timedelta(seconds=grace_seconds),
            now=now,
        )
        for recovered in swept:
            if recovered.messages:
                log.info(
                    "%d messages of execution %s are queued again", recovered.messages, recovered.execution_id
                )
                self.engine.look_in_ledger(recovered.execution_id)
            if recovered.is_interrupted:
                self._tell_interrupted(recovered.execution_id, now)
        await self.leases.forget(before=now - LEASES_REMEMBERED)

    async def _resume_all(self) -> None:
        """Take up what is not running here: after a crash, or when a start or an end had an unknown outcome."""
        for execution in await self.engine.ports.executions.unfinished():
            if not self._is_ours_to_resume(execution):
                continue
            try:
                await self._resume(execution)
            except Unavailable:
                raise
            except Exception as error:  # noqa: BLE001 (a run that cannot go on never keeps the others from it)
                await self._give_up(execution, error)

    def _is_ours_to_resume(self, execution: Execution) -> bool:
        if execution.status is not ExecutionStatus.RUNNING:
            return True
        # What is running elsewhere is somebody's, until a sweep finds that they are all gone.
        return self.is_alone and execution.id not in self.engine.running

    async def _resume(self, execution: Execution) -> None:
        if execution.status.is_terminal:
            await self._see_off(execution)
            return
        pipeline = pipeline_of(execution, self.engine.ports.registry)
        if not await self._is_to_run(execution):
            return
        if execution.id not in self.engine.running:
            outstanding = execution.counts.outstanding
            log.info("resuming execution %s: %d messages outstanding", execution.id, outstanding)
            await self.engine.resume(execution, pipeline)

    async def _see_off(self, execution: Execution) -> None:
        if execution.id not in self.engine.running:
            await self.engine.discard(execution.id)
        elif self.engine.generation_here(execution.id) <= execution.generation:
            # Ended by somebody who never learnt that it was, or elsewhere: nobody has told the run that is here.
            self.engine.end(execution.id, execution.status)

    async def _is_to_run(self, execution: Execution) -> bool:
        """Whether it still stands as it was read, with the status set back to running if that was interrupted."""
        ports = self.engine.ports
        if execution.status is ExecutionStatus.RUNNING:
            # Read again: it may have ended here, processors and all, since the list was made.
            return not (await ports.executions.start(execution, None)).status.is_terminal
        try:
            await ports.executions.conclude(execution.id, ExecutionStatus.RUNNING, now=ports.clock.now())
        except StatusChangeNotAllowed:
            return False
        return True

    async def _give_up(self, execution: Execution, error: Exception) -> None:
        log.error("execution %s cannot be resumed: %s", execution.id, error)
        ports = self.engine.ports
        try:
            await ports.executions.conclude(
                execution.id, ExecutionStatus.FAILED, now=ports.clock.now(), error_info=described(error)
            )
        except StatusChangeNotAllowed:
            return
        await self.engine.stop(execution.id, ExecutionStatus.FAILED, generation=execution.generation)

    def _tell_interrupted(self, execution_id: UUID, now: datetime) -> None:
        ports = self.engine.ports
        log.info("execution %s is interrupted: whoever ran it is gone", execution_id)
        ports.events.publish(
            Event(id=ports.ids.new_id(), type="execution.interrupted", execution_id=execution_id, at=now)
        )
