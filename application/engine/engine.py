"""Runs executions: starts their processors, ends them, and takes up again what was left unfinished."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass, field, replace
from types import TracebackType
from typing import Self
from uuid import UUID

from application.engine.assembly import Assembly
from application.engine.availability import available_within, until_available
from application.engine.commits import Commits
from application.engine.deadlines import Deadlines
from application.engine.execution_run import ExecutionRun, scoped_queue
from application.engine.failures import described
from application.engine.ports import EnginePorts
from application.engine.quarantine import Quarantine
from application.engine.route_gates import RouteGates
from application.engine.route_processor import RouteProcessor
from application.engine.stateful import AdapterNotOpened
from application.engine.topics import Broadcasts
from application.ports.ledger import ClaimRequest
from domain.errors import FactflowError
from domain.event import Event
from domain.execution import Execution, ExecutionStatus, StatusChangeNotAllowed
from domain.message import Message
from domain.pipeline import Pipeline

log = logging.getLogger(__name__)

DISCARD_BATCH = 1000
LONGEST_CLOSING_SECONDS = 10.0
LONGEST_START_SECONDS = 15.0


async def _as_they_are(_: Sequence[UUID]) -> None:
    """Close no gates."""


@dataclass(slots=True, kw_only=True)
class Engine:
    """All executions of this process, open while ``async with`` lasts.

    Leaving it stops the processors, hands back what they had claimed, and marks the runs as interrupted.
    ``prepare`` is given the executions whose gates are there and not yet in use, to close those that are paused.
    """

    ports: EnginePorts
    gates: RouteGates = field(default_factory=RouteGates)
    prepare: Callable[[Sequence[UUID]], Awaitable[None]] = _as_they_are
    quarantine: Quarantine = field(init=False)
    _runs: dict[UUID, ExecutionRun] = field(default_factory=dict)
    _ending: dict[UUID, asyncio.Task[None]] = field(default_factory=dict)
    _generations: dict[UUID, int] = field(default_factory=dict)
    _commits: Commits = field(init=False)
    _deadlines: Deadlines = field(init=False)
    _broadcasts: Broadcasts = field(init=False)
    _stack: AsyncExitStack = field(default_factory=AsyncExitStack)

    def __post_init__(self) -> None:
        self._deadlines = Deadlines(seconds=self.ports.settings.adapter_timeout)
        self.quarantine = Quarantine(gates=self.gates, clock=self.ports.clock)
        self._commits = Commits(ports=self.ports, taker=self._taker)
        self._broadcasts = Broadcasts(queue=self.ports.queue)

    async def __aenter__(self) -> Self:
        await self._stack.enter_async_context(self._commits)
        watch = asyncio.create_task(self._deadlines.watch(), name="deadlines")
        self._stack.callback(watch.cancel)
        await self._stack.enter_async_context(self._broadcasts)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        # A deadline, because the database may be away: what is not handed back now is swept up at the next start.
        try:
            async with asyncio.timeout(LONGEST_CLOSING_SECONDS):
                await asyncio.gather(*self._ending.values(), return_exceptions=True)
                for execution_id in list(self._runs):
                    await self._interrupt(execution_id)
        except TimeoutError:
            log.warning("%d executions could not be handed back in time", len(self.running))
        await self._stack.aclose()

    @property
    def running(self) -> Sequence[UUID]:
        """The executions that have processors here, also those that are just ending."""
        return [*self._runs, *(self._ending.keys() - self._runs.keys())]

    async def start(
        self, execution: Execution, pipeline: Pipeline, init: Message | None, *, limit: int | None
    ) -> Execution:
        """Write an execution with its init message and run it; returns it as it stands.

        Raises what building its pipeline adapters raises, and what ``ExecutionLedger.start`` raises.
        """
        execution = replace(execution, max_dead_letters=self._max_dead_letters(pipeline))
        run = self._assembled(execution.id, pipeline)
        # Ours from now on: recovery must not take up a row that it finds between the commit and the opening.
        self._runs[execution.id] = run
        try:
            started = await self._written(execution, init, limit)
        except BaseException:
            self._drop(execution.id)
            raise
        self.ports.at("started")
        self._tell("execution.started", started.id)
        if started.status.is_terminal:
            self._drop(started.id)
            self._tell(f"execution.{started.status}", started.id)
        else:
            await self._open(run)
        return started

    async def _open(self, run: ExecutionRun) -> None:
        """Let a run begin, with those of its gates closed that must not let anything in."""
        self.quarantine.cover(run.execution_id)
        try:
            await until_available(lambda: self.prepare([run.execution_id]), self.ports.clock.sleep)
        except BaseException:
            # Not begun: recovery finds it in the ledger and takes it up.
            self._drop(run.execution_id)
            raise
        try:
            await run.open()
        except AdapterNotOpened as error:
            self._fail(run.execution_id, error)
        except BaseException:
            # Nobody may be looking in the ledger for it yet: recovery takes it up from the beginning.
            self._in_background(run.execution_id, self._close(run.execution_id))
            raise

    def _drop(self, execution_id: UUID) -> None:
        self._runs.pop(execution_id, None)
        self.gates.forget(execution_id)

    async def _written(self, execution: Execution, init: Message | None, limit: int | None) -> Execution:
        # Starting again is harmless, and right when the outcome of the commit is unknown.
        return await available_within(
            LONGEST_START_SECONDS,
            lambda: self.ports.executions.start(execution, init, limit=limit),
            self.ports.clock.sleep,
        )

    def _max_dead_letters(self, pipeline: Pipeline) -> int | None:
        own = pipeline.max_dead_letters
        return self.ports.settings.max_dead_letters if own is None else own

    async def resume(self, execution: Execution, pipeline: Pipeline) -> None:
        """Take up an execution that is in the ledger already; raises what building its pipeline adapters raises."""
        if execution.id not in self.running:
            self._generations[execution.id] = execution.generation
            run = self._runs[execution.id] = self._assembled(execution.id, pipeline)
            await self._open(run)

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

    async def stop(self, execution_id: UUID, status: ExecutionStatus, *, generation: int = 1) -> None:
        """Follow up on a terminal status that someone has given an execution, whether it runs here or not."""
        if execution_id in self._runs:
            self.end(execution_id, status)
            return
        self._generations[execution_id] = generation
        try:
            await self._end(execution_id, status)
        finally:
            if execution_id not in self._runs:
                self._generations.pop(execution_id, None)

    async def discard(self, execution_id: UUID) -> None:
        """Stop an execution that has ended here, and settle as cancelled what is left of it."""
        await self._close(execution_id)
        while await until_available(
            lambda: self.ports.executions.discard_queued(
                execution_id, limit=DISCARD_BATCH, now=self.ports.clock.now()
            ),
            self.ports.clock.sleep,
        ):
            pass

    def end(self, execution_id: UUID, status: ExecutionStatus) -> None:
        """Stop an execution that has come to a terminal status and tell so, without making the caller wait."""
        self._in_background(execution_id, self._end(execution_id, status))

    def _in_background(self, execution_id: UUID, ending: Coroutine[None, None, None]) -> None:
        if execution_id not in self._runs or execution_id in self._ending:
            ending.close()
            return
        task = asyncio.create_task(ending, name=f"end {execution_id}")
        self._ending[execution_id] = task
        task.add_done_callback(lambda task: self._forget(execution_id, task))

    def _forget(self, execution_id: UUID, task: asyncio.Task[None]) -> None:
        self._ending.pop(execution_id, None)
        self._generations.pop(execution_id, None)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("the end of execution %s was not followed up", execution_id, exc_info=error)

    async def ended(self, execution_id: UUID) -> None:
        """Return when an ending that is under way is over, however it went."""
        task = self._ending.get(execution_id)
        if task is not None:
            await asyncio.wait([task])

    def _assembled(self, execution_id: UUID, pipeline: Pipeline) -> ExecutionRun:
        return Assembly(
            ports=self.ports,
            execution_id=execution_id,
            pipeline=pipeline,
            gates=self.gates,
            quarantine=self.quarantine,
            deadlines=self._deadlines,
            broadcasts=self._broadcasts,
            claims=self._commits.claims,
            settlements=self._commits.settlements,
            finished=self.end,
            crashed=self._fail,
        ).run()

    async def _close(self, execution_id: UUID) -> None:
        run = self._runs.pop(execution_id, None)
        if run is None:
            return
        handed_back = await run.close()
        self.gates.forget(execution_id)
        if handed_back:
            # Claims are committed in order: when this one has been answered, none of theirs is still to come.
            await self._commits.claims.ask(
                ClaimRequest(message_id=execution_id, token=self.ports.ids.new_id())
            )
        await asyncio.gather(*map(self._commits.settlements.ask, handed_back), return_exceptions=True)
        self.quarantine.leave(len(handed_back))
        # Children that were born claimed for this run meanwhile have been handed back behind these.
        await self._commits.settlements.drained()
        for processor in run.processors.values():
            await self.ports.queue.delete(scoped_queue(execution_id, processor.route))

    async def _end(self, execution_id: UUID, status: ExecutionStatus) -> None:
        await self.discard(execution_id)
        self._tell(f"execution.{status}", execution_id)
        log.info("execution %s has ended: %s", execution_id, status)

    def _fail(self, execution_id: UUID, error: BaseException) -> None:
        log.error("execution %s cannot go on", execution_id, exc_info=error)
        self._in_background(execution_id, self._conclude_failed(execution_id, error))

    async def _conclude_failed(self, execution_id: UUID, error: BaseException) -> None:
        while isinstance(error, BaseExceptionGroup) and len(error.exceptions) == 1:
            error = error.exceptions[0]
        told = described(error)
        reason = told if isinstance(error, FactflowError) else {**told, "code": "engine_failed"}
        with suppress(StatusChangeNotAllowed):
            await until_available(
                lambda: self.ports.executions.conclude(
                    execution_id, ExecutionStatus.FAILED, now=self.ports.clock.now(), error_info=reason
                ),
                self.ports.clock.sleep,
            )
        await self._end(execution_id, ExecutionStatus.FAILED)

    async def _interrupt(self, execution_id: UUID) -> None:
        try:
            await self._close(execution_id)
            await self.ports.executions.conclude(
                execution_id, ExecutionStatus.INTERRUPTED, now=self.ports.clock.now()
            )
        except FactflowError as error:
            log.warning("execution %s could not be marked as interrupted: %s", execution_id, error)
        else:
            self._tell("execution.interrupted", execution_id)

    def _taker(self, message: Message) -> RouteProcessor | None:
        return self.processor(message.execution_id, message.route_id) if self.ports.queue.is_private else None

    def _tell(self, kind: str, execution_id: UUID) -> None:
        ports, data = self.ports, {"generation": self.generation_here(execution_id)}
        ports.events.publish(
            Event(
                id=ports.ids.new_id(), type=kind, execution_id=execution_id, at=ports.clock.now(), data=data
            )
        )
