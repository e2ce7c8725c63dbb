"""Runs executions: starts their processors, ends them, and takes up again what was left unfinished."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self
from uuid import UUID

from application.engine.announcing import announce
from application.engine.availability import until_available
from application.engine.beginning import written
from application.engine.closing import clear_left, delete_queues, discard_left
from application.engine.concluding import conclude_failed, conclude_interrupted
from application.engine.endings import Endings
from application.engine.execution_run import ExecutionRun
from application.engine.ports import EnginePorts
from application.engine.quarantine import Quarantine
from application.engine.route_gates import RouteGates
from application.engine.route_processor import RouteProcessor
from application.engine.signals import SignalKind, Signals
from application.engine.stateful import AdapterNotOpened
from application.engine.workshop import Workshop
from application.ports.message_queue import SubscriptionClosed
from domain.errors import Unavailable
from domain.execution import Execution, ExecutionStatus
from domain.message import Message
from domain.pipeline import Pipeline

log = logging.getLogger(__name__)

LONGEST_CLOSING_SECONDS = 10.0


async def _as_they_are(_: Sequence[UUID]) -> None:
    """Close no gates."""


@dataclass(slots=True, kw_only=True)
class Engine:
    """All executions of this process, open while ``async with`` lasts.

    Leaving it stops the processors and hands back what they had claimed; on a private queue, where nobody else can go
    on with them, it marks the runs as interrupted. ``prepare`` is given the executions whose gates are there and not
    yet in use, to close those that are paused. Without ``processes`` it starts and ends executions that others process.
    """

    ports: EnginePorts
    gates: RouteGates = field(default_factory=RouteGates)
    prepare: Callable[[Sequence[UUID]], Awaitable[None]] = _as_they_are
    processes: bool = True
    quarantine: Quarantine = field(init=False)
    signals: Signals = field(init=False)
    is_draining: bool = False
    _runs: dict[UUID, ExecutionRun] = field(default_factory=dict)
    _starting: set[UUID] = field(default_factory=set)
    _endings: Endings = field(init=False)
    _generations: dict[UUID, int] = field(default_factory=dict)
    _workshop: Workshop = field(init=False)
    _stack: AsyncExitStack = field(default_factory=AsyncExitStack)

    def __post_init__(self) -> None:
        self.quarantine = Quarantine(gates=self.gates, clock=self.ports.clock)
        self._workshop = Workshop(
            ports=self.ports,
            gates=self.gates,
            quarantine=self.quarantine,
            processor=self.processor,
            finished=self._finished,
            crashed=self._fail,
        )
        self._endings = Endings(over=self._is_over)
        self.signals = Signals(queue=self.ports.queue, sender=self.ports.owner)

    async def __aenter__(self) -> Self:
        await self._stack.enter_async_context(self.signals)
        await self._stack.enter_async_context(self._workshop)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        # A deadline, because the database may be away: what is not handed back now is swept up at the next start.
        try:
            async with asyncio.timeout(LONGEST_CLOSING_SECONDS):
                await self.leave_all()
        except TimeoutError:
            log.warning("%d executions could not be handed back in time", len(self.running))
        await self._stack.aclose()

    @property
    def running(self) -> Sequence[UUID]:
        """The executions that have processors here, also those that are just ending."""
        return [*self._runs, *(one for one in self._endings if one not in self._runs)]

    @property
    def shares(self) -> bool:
        """Whether other processes may work on the same executions, because the queue is not private."""
        return not self.ports.queue.is_private

    @property
    def joined(self) -> Sequence[UUID]:
        """The executions that have processors here, without those that are just beginning or ending."""
        return [one for one in self._runs if one not in self._starting and one not in self._endings]

    async def start(
        self, execution: Execution, pipeline: Pipeline, init: Message | None, *, limit: int | None
    ) -> Execution:
        """Write an execution with its init message and run it; returns it as it stands.

        Raises what building its pipeline adapters raises, and what ``ExecutionLedger.start`` raises.
        """
        if self.is_draining:
            raise Unavailable("this server is stopping and starts nothing any more")
        run = self._workshop.run(execution.id, pipeline)
        # Ours from now on: recovery must not take up a row that it finds between the commit and the opening.
        self._runs[execution.id] = run
        self._starting.add(execution.id)
        try:
            started = await written(self.ports, execution, pipeline, init, limit=limit)
            await self._begin(run, started)
        except BaseException:
            if execution.id not in self._endings:
                self._drop(execution.id)
            raise
        finally:
            self._starting.discard(execution.id)
        return started

    async def _begin(self, run: ExecutionRun, started: Execution) -> None:
        self.ports.at("started")
        self._tell("execution.started", started.id)
        if started.status.is_terminal:
            self._tell(f"execution.{started.status}", started.id)
        elif self.processes:
            await self._open(run, is_new=True)
        if started.status.is_terminal or not self.processes:
            self._drop(started.id)
        self.signals.send(SignalKind.EXECUTION, started.id)

    async def _open(self, run: ExecutionRun, *, is_new: bool = False) -> None:
        """Let a run begin, with those of its gates closed that must not let anything in."""
        self.quarantine.cover(run.execution_id)
        try:
            await until_available(lambda: self.prepare([run.execution_id]), self.ports.clock.sleep)
        except BaseException:
            # Not begun: recovery finds it in the ledger and takes it up.
            self._drop(run.execution_id)
            raise
        try:
            await run.open(is_new=is_new)
        except AdapterNotOpened as error:
            self._fail(run.execution_id, error)
        except BaseException:
            # Nobody may be looking in the ledger for it yet: recovery takes it up from the beginning.
            self._in_background(run.execution_id, self._leave(run.execution_id))
            raise

    def _drop(self, execution_id: UUID) -> None:
        self._runs.pop(execution_id, None)
        self.gates.forget(execution_id)

    async def resume(self, execution: Execution, pipeline: Pipeline, *, is_new: bool = False) -> None:
        """Take up an execution that is in the ledger already; raises what building its pipeline adapters raises.

        Others that could are told to. ``is_new``: nothing of it is in any queue yet, and it is for us to put it there.
        """
        if self.processes and not self.is_draining and execution.id not in self.running:
            self._generations[execution.id] = execution.generation
            run = self._runs[execution.id] = self._workshop.run(execution.id, pipeline)
            await self._open(run, is_new=is_new)

    def generation_here(self, execution_id: UUID) -> int:
        """Which generation of an execution was last begun here, the first one unless it was taken up."""
        return self._generations.get(execution_id, 1)

    def processor(self, execution_id: UUID, route_id: str) -> RouteProcessor | None:
        """The processor of a route that runs here."""
        run = self._runs.get(execution_id)
        return run.processors.get(route_id) if run else None

    def look_in_ledger(self, execution_id: UUID) -> None:
        """Messages of an execution may have come back to the ledger: let its feeds see."""
        if execution_id in self._runs:
            for feed in self._runs[execution_id].feeds.values():
                feed.look_in_ledger()

    @property
    def is_followed_up(self) -> bool:
        """Whether of all that has been settled here the children are published and the deliveries acknowledged."""
        return all(one.follow_up.is_done for run in self._runs.values() for one in run.processors.values())

    def stop(self, execution_id: UUID, status: ExecutionStatus, *, generation: int = 1) -> None:
        """Follow up on a terminal status that someone has given an execution, whether it runs here or not.

        Nobody waits for what it leaves to be settled, unless the engine is closed meanwhile.
        """
        if execution_id in self._runs:
            self.end(execution_id, status)
            return
        self._generations[execution_id] = generation
        self._endings.follow(execution_id, lambda: self._end(execution_id, status))

    def clear_away(self, execution: Execution) -> None:
        """Settle and delete what is left of an execution that ended and did not run here, behind whatever is under way."""
        self._endings.follow(execution.id, lambda: clear_left(self.ports, execution))

    async def _discard(self, execution_id: UUID) -> None:
        run = await self._close(execution_id)
        await discard_left(self.ports, execution_id)
        await self._clear_up(run)

    def end(self, execution_id: UUID, status: ExecutionStatus) -> None:
        """Stop an execution that has come to a terminal status and tell so, without making the caller wait."""
        self._in_background(execution_id, self._end(execution_id, status))

    def retire(self, execution_id: UUID, status: ExecutionStatus) -> None:
        """Stop an execution that has ended without this process: where others work on it as well they have told so."""
        if self.shares:
            self.let_go(execution_id)
        else:
            self.end(execution_id, status)

    def let_go(self, execution_id: UUID) -> None:
        """Stop an execution that has ended, without telling so."""
        self._in_background(execution_id, self._discard(execution_id))

    async def leave_all(self) -> None:
        """Stop everything here and hand it back; on a shared queue others go on with it."""
        await self._endings.wait_for_all()
        for execution_id in list(self._runs):
            await (self._leave if self.shares else self._interrupt)(execution_id)

    async def _leave(self, execution_id: UUID, *, returns: bool = False) -> None:
        await self._close(execution_id)
        self.signals.send(SignalKind.MESSAGES, execution_id)
        if returns:
            self.signals.note(SignalKind.EXECUTION, execution_id)

    def _finished(self, execution_id: UUID, status: ExecutionStatus) -> None:
        # Who cancels tells so. Of other ends it is not known whose they were, but they are told under one id.
        (self.retire if status is ExecutionStatus.CANCELLED else self.end)(execution_id, status)

    def _in_background(self, execution_id: UUID, ending: Coroutine[None, None, None]) -> None:
        if execution_id in self._runs:
            self._endings.begin(execution_id, ending)
        else:
            ending.close()

    async def ended(self, execution_id: UUID) -> None:
        """Return when an ending that is under way is over, however it went."""
        await self._endings.wait(execution_id)

    async def _close(self, execution_id: UUID) -> ExecutionRun | None:
        run = self._runs.pop(execution_id, None)
        if run is not None:
            await self._workshop.close(run)
            if not self.shares:
                await delete_queues(self.ports, execution_id, run.routes)
        return run

    async def _clear_up(self, run: ExecutionRun | None) -> None:
        if run is not None and self.shares:
            await delete_queues(self.ports, run.execution_id, run.routes)

    async def _end(
        self, execution_id: UUID, status: ExecutionStatus, *, error: BaseException | None = None
    ) -> None:
        if error is not None:
            await conclude_failed(self.ports, execution_id, error)
        # Before all else: the others are to stop within a second.
        self.signals.send(SignalKind.EXECUTION, execution_id)
        run = await self._close(execution_id)
        await discard_left(self.ports, execution_id)
        self._tell(f"execution.{status}", execution_id)
        log.info("execution %s has ended: %s", execution_id, status)
        await self._clear_up(run)

    def _fail(self, execution_id: UUID, error: BaseException) -> None:
        if self.shares and isinstance(error, SubscriptionClosed):
            log.warning("a queue of %s is gone: it is taken up again unless it has ended", execution_id)
            self._in_background(execution_id, self._leave(execution_id, returns=True))
            return
        log.error("execution %s cannot go on", execution_id, exc_info=error)
        self._in_background(execution_id, self._end(execution_id, ExecutionStatus.FAILED, error=error))

    async def _interrupt(self, execution_id: UUID) -> None:
        await self._close(execution_id)
        await conclude_interrupted(self.ports, execution_id, self.generation_here(execution_id))

    def _is_over(self, execution_id: UUID) -> None:
        self._generations.pop(execution_id, None)

    def _tell(self, kind: str, execution_id: UUID) -> None:
        announce(self.ports, kind, execution_id, self.generation_here(execution_id))
