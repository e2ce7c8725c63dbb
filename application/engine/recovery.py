"""Takes up what was left unfinished: at start, and while running when a worker's lease runs out."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from types import TracebackType
from typing import Self
from uuid import UUID

from application.engine.announcing import announce_interruption
from application.engine.availability import until_available
from application.engine.engine import Engine
from application.engine.held_lease import HeldLease
from application.engine.resuming import Resuming
from application.engine.signals import Signal, SignalKind
from application.engine.stopping import stopped
from application.engine.suspects import Suspects
from application.ports.execution_ledger import Recovered
from application.ports.leases import UNKNOWN, Leases, WorkerFacts
from domain.errors import Unavailable
from domain.execution import Execution, ExecutionNotFound

log = logging.getLogger(__name__)

LEASES_REMEMBERED = timedelta(days=1)


@dataclass(slots=True, kw_only=True)
class Recovery:
    """Holds this process's lease while ``async with`` lasts, and resumes executions from the ledger on entering.

    ``is_alone``: nobody else can be using the ledger (its folder is locked by us), so whoever holds a lease is dead.
    Otherwise owners are gone when their lease has run out, but nobody judges that who could not renew its own lease
    until a moment ago: then the database was away, and the others have had no chance to renew theirs either.
    With every renewal the ledger is looked at, then the ``chores`` are done and suspects run, and no renewal waits for
    any of it; what fails is logged and done again with the next.
    What other processes signal is looked at when it is heard: ``read`` gives an execution as it stands,
    and without it all of them are looked at.
    """

    engine: Engine
    leases: Leases
    is_alone: bool
    chores: Sequence[Callable[[], Awaitable[object]]] = ()
    read: Callable[[UUID], Awaitable[Execution]] | None = None
    worker: WorkerFacts = UNKNOWN
    _tasks: list[asyncio.Task[None]] = field(default_factory=list)
    _looked: asyncio.Event = field(default_factory=asyncio.Event)
    _lease: HeldLease = field(init=False)
    _suspects: Suspects = field(init=False)
    _resuming: Resuming = field(init=False)

    def __post_init__(self) -> None:
        self._lease = HeldLease(engine=self.engine, leases=self.leases, worker=self.worker)
        self._suspects = Suspects(engine=self.engine)
        self._resuming = Resuming(engine=self.engine, is_alone=self.is_alone)

    async def __aenter__(self) -> Self:
        sleep = self.engine.ports.clock.sleep
        await until_available(self._lease.renew, sleep)
        # From now on, because what is taken up first may open slowly.
        self._begin(self._lease.keep(), "lease")
        try:
            await until_available(self._take_over, sleep)
        except BaseException:
            await self.stand_down()
            raise
        self._begin(self._look(), "recovery")
        self._begin(self._attend(), "what is done with every renewal")
        self._begin(self._hear(), "what others signal")
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

    def _begin(self, work: Coroutine[None, None, None], name: str) -> None:
        self._tasks.append(asyncio.create_task(work, name=name))

    async def _take_over(self) -> None:
        if self.is_alone:
            await self._forget_the_dead()
        await self._sweep(grace_seconds=0.0)
        await self._resume_all()
        self._looked.set()

    async def _resume_all(self) -> None:
        await self._resuming.all()
        await self._lease.state_anew()

    async def _look(self) -> None:
        while True:
            await self._lease.tried.wait()
            self._lease.tried.clear()
            try:
                await self._sweep(grace_seconds=self.engine.ports.settings.lease)
                await self._resume_all()
            except Unavailable as error:
                log.warning("what others have left has to wait: %s", error)
            except Exception:
                log.exception("recovery failed and will be tried again")
            self._looked.set()

    async def _attend(self) -> None:
        # Apart from the looks: a suspect may take its time, and the others are to be taken up meanwhile.
        while True:
            await self._looked.wait()
            self._looked.clear()
            await self._do_chores()

    async def _hear(self) -> None:
        while True:
            signal = await self.engine.signals.heard()
            try:
                await self._look_at(signal)
            except Unavailable as error:
                log.warning("what was heard has to wait for the next look: %s", error)
            except Exception:
                log.exception("what was heard could not be looked at")

    async def _look_at(self, signal: Signal) -> None:
        if signal.kind is SignalKind.PAUSES:
            for chore in self.chores:
                await chore()
        elif signal.execution_id is not None and signal.kind is SignalKind.MESSAGES:
            self.engine.look_in_ledger(signal.execution_id)
        elif signal.execution_id is not None and self.read is not None:
            with suppress(ExecutionNotFound):
                await self._resuming.one(await self.read(signal.execution_id))
                await self._lease.state_anew()
        else:
            await self._resume_all()

    async def _do_chores(self) -> None:
        for chore in (*self.chores, self._suspects.look):
            try:
                await chore()
            except Unavailable as error:
                log.warning("what is done with every renewal has to wait: %s", error)
            except Exception:
                log.exception("what is done with every renewal failed and will be tried again")

    async def _forget_the_dead(self) -> None:
        ports = self.engine.ports
        for lease in await self.leases.holders(now=ports.clock.now()):
            if lease.owner != ports.owner:
                await self.leases.give_up(lease.owner)

    async def _sweep(self, *, grace_seconds: float) -> None:
        """Take from the dead what they had; executions younger than the grace may not be in a lease yet."""
        ports = self.engine.ports
        now = ports.clock.now()
        # Ours are looked up before anything is awaited, so none that began later is missing among those kept.
        kept = set(self.engine.running)
        leases = await self.leases.holders(now=now)
        workers = [lease.owner for lease in leases if lease.worker.takes_messages]
        self._resuming.is_first = ports.owner == min(workers, default=ports.owner)
        if not self.is_alone and not self._lease.may_judge(now):
            return
        kept.update(*(lease.executions for lease in leases))
        swept = await ports.executions.sweep(
            live_owners=[*(lease.owner for lease in leases), ports.owner],
            kept=list(kept),
            begun_by=now - timedelta(seconds=grace_seconds),
            now=now,
        )
        for recovered in swept:
            if recovered.messages:
                self._feed(recovered, now)
            if recovered.is_interrupted:
                log.info("execution %s is interrupted: whoever ran it is gone", recovered.execution_id)
                announce_interruption(ports, recovered.execution_id)
        await self.leases.forget(before=now - LEASES_REMEMBERED)

    def _feed(self, recovered: Recovered, now: datetime) -> None:
        """Let what was swept be handed out again."""
        engine, execution_id = self.engine, recovered.execution_id
        log.info("%d messages of execution %s are queued again", recovered.messages, execution_id)
        if not engine.shares:
            engine.look_in_ledger(execution_id)
            return
        engine.signals.send(SignalKind.MESSAGES, execution_id)
        for route_id, message_ids in recovered.by_route.items():
            processor = engine.processor(execution_id, route_id)
            if processor is not None:
                for message_id in message_ids:
                    processor.feeds[route_id].expect(now, message_id)
