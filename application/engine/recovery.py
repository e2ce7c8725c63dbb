"""Takes up what was left unfinished: at start, and while running when a worker's lease runs out."""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
from types import TracebackType
from typing import Self

from application.engine.availability import until_available
from application.engine.engine import Engine
from application.engine.failures import described
from application.engine.snapshot import pipeline_of
from application.ports.leases import Leases
from domain.errors import Unavailable
from domain.execution import Execution, ExecutionStatus, StatusChangeNotAllowed

log = logging.getLogger(__name__)


@dataclass(slots=True, kw_only=True)
class Recovery:
    """Holds this process's lease while ``async with`` lasts, and resumes executions from the ledger on entering.

    ``is_alone``: nobody else can be using the ledger (its folder is locked by us), so whoever holds a lease is dead.
    """

    engine: Engine
    leases: Leases
    is_alone: bool
    _keeper: asyncio.Task[None] | None = field(default=None)

    async def __aenter__(self) -> Self:
        await until_available(self._take_over, self.engine.ports.clock.sleep)
        self._keeper = asyncio.create_task(self._keep(), name="lease")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._keeper is not None:
            self._keeper.cancel()
            with suppress(asyncio.CancelledError):
                await self._keeper
        with suppress(Unavailable):
            await self.leases.give_up(self.engine.ports.owner)

    async def _take_over(self) -> None:
        await self._renew()
        if self.is_alone:
            await self._forget_the_dead()
        await self._sweep()
        await self._resume_all()

    async def _keep(self) -> None:
        ports = self.engine.ports
        while True:
            await ports.clock.sleep(ports.settings.lease / 3)
            try:
                await self._renew()
                await self._sweep()
                if self.is_alone:
                    await self._resume_all()
            except Unavailable as error:
                log.warning("the lease could not be renewed: %s", error)
            except Exception:
                log.exception("recovery failed and will be tried again")

    async def _renew(self) -> None:
        ports = self.engine.ports
        until = ports.clock.now() + timedelta(seconds=ports.settings.lease)
        await self.leases.hold(ports.owner, until=until)

    async def _forget_the_dead(self) -> None:
        ports = self.engine.ports
        for holder in await self.leases.holders(now=ports.clock.now()):
            if holder != ports.owner:
                await self.leases.give_up(holder)

    async def _sweep(self) -> None:
        ports = self.engine.ports
        now = ports.clock.now()
        live = await self.leases.holders(now=now)
        for recovered in await ports.executions.sweep(live_owners=[*live, ports.owner], now=now):
            log.info(
                "%d messages of execution %s are queued again", recovered.messages, recovered.execution_id
            )
            self.engine.look_in_ledger(recovered.execution_id)

    async def _resume_all(self) -> None:
        """Take up what is not running here: after a crash, or when a start or an end had an unknown outcome."""
        for execution in await self.engine.ports.executions.unfinished():
            if execution.id in self.engine.running:
                continue
            try:
                await self._resume(execution)
            except Unavailable:
                raise
            except Exception as error:  # noqa: BLE001 (a run that cannot go on never keeps the others from it)
                await self._give_up(execution, error)

    async def _resume(self, execution: Execution) -> None:
        if execution.status.is_terminal:
            await self.engine.discard(execution.id)
            return
        pipeline = pipeline_of(execution, self.engine.ports.registry)
        if execution.status is ExecutionStatus.INTERRUPTED:
            ports = self.engine.ports
            await ports.executions.conclude(execution.id, ExecutionStatus.RUNNING, now=ports.clock.now())
        log.info("resuming execution %s: %d messages outstanding", execution.id, execution.counts.outstanding)
        await self.engine.resume(execution, pipeline)

    async def _give_up(self, execution: Execution, error: Exception) -> None:
        log.error("execution %s cannot be resumed: %s", execution.id, error)
        ports = self.engine.ports
        with suppress(StatusChangeNotAllowed):
            await ports.executions.conclude(
                execution.id, ExecutionStatus.FAILED, now=ports.clock.now(), error_info=described(error)
            )
        await self.engine.stop(execution.id, ExecutionStatus.FAILED)
