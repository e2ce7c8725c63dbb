"""Builds the runs of a process and takes them down; holds what all of them share."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self
from uuid import UUID

from application.engine.assembly import Assembly
from application.engine.closing import close_run
from application.engine.commits import Commits
from application.engine.deadlines import Deadlines
from application.engine.execution_run import ExecutionRun
from application.engine.ports import EnginePorts
from application.engine.quarantine import Quarantine
from application.engine.route_gates import RouteGates
from application.engine.route_processor import RouteProcessor
from application.engine.topics import Broadcasts
from domain.execution import ExecutionStatus
from domain.message import Message
from domain.pipeline import Pipeline


@dataclass(slots=True, kw_only=True)
class Workshop:
    """The group commits, deadlines and broadcasts of a process, at work while ``async with`` lasts.

    ``processor`` names the processor of a route that runs here, ``finished`` and ``crashed`` are told of runs.
    """

    ports: EnginePorts
    gates: RouteGates
    quarantine: Quarantine
    processor: Callable[[UUID, str], RouteProcessor | None]
    finished: Callable[[UUID, ExecutionStatus], None]
    crashed: Callable[[UUID, BaseException], None]
    _commits: Commits = field(init=False)
    _deadlines: Deadlines = field(init=False)
    _broadcasts: Broadcasts = field(init=False)
    _stack: AsyncExitStack = field(default_factory=AsyncExitStack)

    def __post_init__(self) -> None:
        self._deadlines = Deadlines(seconds=self.ports.settings.adapter_timeout)
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
        await self._stack.aclose()

    def run(self, execution_id: UUID, pipeline: Pipeline) -> ExecutionRun:
        """A run with its gates, not yet begun; raises what building its pipeline adapters raises."""
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
            together=self._commits.together,
            finished=self.finished,
            crashed=self.crashed,
        ).run()

    async def close(self, run: ExecutionRun) -> None:
        """Stop a run, and hand back what it holds."""
        await close_run(
            run,
            ports=self.ports,
            commits=self._commits,
            gates=self.gates,
            quarantine=self.quarantine,
        )

    def _taker(self, message: Message) -> RouteProcessor | None:
        """Who takes a message as it is born: on a queue that others consume as well nobody does."""
        return self.processor(message.execution_id, message.route_id) if self.ports.queue.is_private else None
