"""Takes up executions that are in the ledger, and lets go of those that have ended elsewhere."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from uuid import UUID

from application.engine.engine import Engine
from application.engine.failures import described
from application.engine.snapshot import pipeline_of
from domain.errors import Unavailable
from domain.execution import Execution, ExecutionStatus, StatusChangeNotAllowed

log = logging.getLogger(__name__)


@dataclass(slots=True, kw_only=True)
class Resuming:
    """Compares what is in the ledger with what runs here.

    On a private queue an execution that is running elsewhere is somebody's, until a sweep finds that they are all gone;
    who is alone takes up everything. On a shared queue every process with processors joins every execution.
    ``is_first`` tells whether it is for this process to put a new execution's first message into its queue.
    """

    engine: Engine
    is_alone: bool
    is_first: bool = True
    _missing: frozenset[UUID] = frozenset()
    _passed_over: set[UUID] = field(default_factory=set)
    _turn: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def all(self) -> None:
        """Look at everything that is unfinished, and at everything that runs here. Raises Unavailable."""
        async with self._turn:
            joined = self.engine.joined
            unfinished = await self.engine.ports.executions.unfinished()
            self._let_go_of_what_is_over(joined, unfinished)
            for execution in unfinished:
                await self._look_at(execution)

    async def one(self, execution: Execution) -> None:
        """Look at an execution of which something was heard, as it stands now. Raises Unavailable."""
        async with self._turn:
            if not execution.status.is_terminal:
                # Its generation of before may be just ending here.
                await self.engine.ended(execution.id)
            if not execution.status.is_terminal or execution.id in self.engine.joined:
                await self._look_at(execution)

    def _let_go_of_what_is_over(self, joined: Sequence[UUID], unfinished: Sequence[Execution]) -> None:
        """Nothing is outstanding there, so it has ended; by ourselves, perhaps, who are only about to learn of it."""
        if self.engine.shares:
            missing = frozenset(joined) - {execution.id for execution in unfinished}
            for execution_id in missing & self._missing:
                self.engine.let_go(execution_id)
            self._missing = missing

    async def _look_at(self, execution: Execution) -> None:
        if not self._is_ours(execution):
            return
        try:
            await self._resume(execution)
        except Unavailable:
            raise
        except Exception as error:  # noqa: BLE001 (a run that cannot go on never keeps the others from it)
            await self._give_up(execution, error)

    def _is_ours(self, execution: Execution) -> bool:
        if execution.status.is_terminal:
            return True
        if not self.engine.processes or self.engine.is_draining:
            return False
        if execution.status is ExecutionStatus.INTERRUPTED:
            return True
        if self.engine.shares:
            return execution.id not in self.engine.running or self._is_of_before(execution)
        return self.is_alone and execution.id not in self.engine.running

    def _is_of_before(self, execution: Execution) -> bool:
        """Whether what runs here is a generation that has ended, and nobody has told it so."""
        is_joined = execution.id in self.engine.joined
        return is_joined and self.engine.generation_here(execution.id) < execution.generation

    async def _resume(self, execution: Execution) -> None:
        if execution.status.is_terminal:
            self._see_off(execution)
            return
        pipeline = pipeline_of(execution, self.engine.ports.registry)
        if not await self._is_to_run(execution):
            return
        if self.engine.shares and self._is_of_before(execution):
            self.engine.let_go(execution.id)
            await self.engine.ended(execution.id)
        if execution.id not in self.engine.running:
            outstanding = execution.counts.outstanding
            log.info("resuming execution %s: %d messages outstanding", execution.id, outstanding)
            is_new = self.is_first and execution.counts.total == outstanding == 1
            await self.engine.resume(execution, pipeline, is_new=is_new)
            await self._leave_if_ended(execution)

    async def _leave_if_ended(self, execution: Execution) -> None:
        """On a shared queue it may have ended while we joined, and then our queues would be left behind."""
        ports = self.engine.ports
        if self.engine.shares and (await ports.executions.start(execution, None)).status.is_terminal:
            self.engine.let_go(execution.id)

    def _see_off(self, execution: Execution) -> None:
        if execution.id not in self.engine.running:
            self.engine.clear_away(execution)
        elif self.engine.generation_here(execution.id) <= execution.generation:
            # Ended by somebody who never learnt that it was, or elsewhere: nobody has told the run that is here.
            self.engine.retire(execution.id, execution.status)

    async def _is_to_run(self, execution: Execution) -> bool:
        """Whether it still stands as it was read, with the status set back to running if that was interrupted."""
        ports = self.engine.ports
        if execution.status is ExecutionStatus.INTERRUPTED:
            try:
                await ports.executions.conclude(execution.id, ExecutionStatus.RUNNING, now=ports.clock.now())
            except StatusChangeNotAllowed:
                if not self.engine.shares:
                    return False
            else:
                return True
        # Read again: it may have ended here, processors and all, since the list was made.
        return not (await ports.executions.start(execution, None)).status.is_terminal

    async def _give_up(self, execution: Execution, error: Exception) -> None:
        if self.engine.shares and execution.status is ExecutionStatus.RUNNING:
            # Others may be able to run it. If nobody is, it is interrupted before long.
            if execution.id not in self._passed_over:
                self._passed_over.add(execution.id)
                log.warning("execution %s cannot run here: %s", execution.id, error)
            return
        log.error("execution %s cannot be resumed: %s", execution.id, error)
        ports = self.engine.ports
        try:
            await ports.executions.conclude(
                execution.id, ExecutionStatus.FAILED, now=ports.clock.now(), error_info=described(error)
            )
        except StatusChangeNotAllowed:
            return
        self.engine.stop(execution.id, ExecutionStatus.FAILED, generation=execution.generation)
        self.engine.clear_away(execution)
