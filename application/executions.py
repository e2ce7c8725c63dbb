"""Executions: starting, watching and ending them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Unpack
from uuid import UUID

from application.configs import Configs
from application.engine.emissions import require_within_limit
from application.engine.engine import Engine
from application.engine.snapshot import readable_pipeline_of, snapshot_of
from application.ports.unit_of_work import UnitOfWork, WantedExecutions
from domain.errors import Invalid, Unavailable
from domain.event import Event
from domain.execution import Execution, ExecutionStatus, ExecutionSummary
from domain.json import JsonObject, merged
from domain.message import Message, correlation_id, init_message_id
from domain.pipeline import Pipeline
from domain.webhooks.event_types import OBJECT_CREATED

LATE_SECONDS = 0.25


class NoInitMessage(Invalid):
    """The config has no init_message, so nothing would ever run; skip_init_message starts it empty."""

    code = "no_init_message"


class StatusNotSettable(Invalid):
    """An execution can be set to cancelled, failed or completed."""

    code = "status_not_settable"


@dataclass(frozen=True, slots=True, kw_only=True)
class Executions:
    """What can be done with executions. ``limit`` is how many may run at once; ids and tags name them alike."""

    configs: Configs
    work: UnitOfWork
    engine: Engine
    limit: int

    async def start(
        self,
        config_id: UUID,
        *,
        tag: str | None = None,
        metadata: JsonObject | None = None,
        init_payload_overrides: JsonObject | None = None,
        skip_init_message: bool = False,
    ) -> Execution:
        """Run a config; returns when every route is subscribed and the init message is in the ledger.

        The overrides are merged into the config's init payload, mappings at every depth. Raises ConfigNotFound, ConfigInactive,
        ConfigNotRunnable, NoInitMessage, InvalidTag, TagTaken, TooManyConcurrentExecutions, PayloadRejected,
        MessageTooLarge.
        """
        config, pipeline, value = await self.configs.runnable(config_id)
        ports = self.engine.ports
        execution_id = ports.ids.new_id()
        init = None if skip_init_message else _init(execution_id, pipeline, init_payload_overrides or {})
        execution = Execution(
            id=execution_id,
            config_id=config.id,
            config_snapshot=snapshot_of(config, pipeline, value, ports.registry),
            started_at=ports.clock.now(),
            tag=tag,
            metadata=metadata or {},
            root_correlation_id=None if init is None else correlation_id(init.id, 0, 1),
        )
        return await self.engine.start(execution, pipeline, init, limit=self.limit)

    async def get(self, id_or_tag: str) -> Execution:
        """One execution as it stands; raises ExecutionNotFound."""
        async with self.work.begin() as repositories:
            try:
                execution_id = UUID(id_or_tag)
            except ValueError:
                return await repositories.executions.by_tag(id_or_tag)
            return await repositories.executions.get(execution_id)

    async def list(
        self,
        *,
        status: ExecutionStatus | None = None,
        config_id: UUID | None = None,
        parent_execution_id: UUID | None = None,
        limit: int = 100,
        offset: int = 0,
        before: UUID | None = None,
    ) -> tuple[Sequence[Execution], int]:
        """A page of executions, the latest first, and how many there are in all; see the repository."""
        async with self.work.reading() as repositories:
            return await repositories.executions.list(
                status=status,
                config_id=config_id,
                parent_execution_id=parent_execution_id,
                limit=limit,
                offset=offset,
                before=before,
            )

    async def summaries(self, **wanted: Unpack[WantedExecutions]) -> tuple[Sequence[ExecutionSummary], int]:
        """As ``list``, for showing them."""
        async with self.work.reading() as repositories:
            return await repositories.executions.summaries(**wanted)

    async def change_status(
        self, id_or_tag: str, status: ExecutionStatus, *, error_info: JsonObject | None = None
    ) -> tuple[ExecutionStatus, Execution]:
        """End an execution by hand; returns the status before, and the execution as it stands.

        What is in flight stops at its next await, what is left is settled as cancelled behind it.
        Raises ExecutionNotFound, StatusNotSettable, StatusChangeNotAllowed.
        """
        if not status.is_terminal:
            raise StatusNotSettable
        execution = await self.get(id_or_tag)
        ports = self.engine.ports
        before = await ports.executions.conclude(
            execution.id, status, now=ports.clock.now(), error_info=error_info
        )
        runs_here = execution.id in self.engine.running
        self.engine.stop(execution.id, status, generation=execution.generation)
        if not runs_here:
            self.engine.clear_away(execution)
        return before, await self.get(str(execution.id))

    async def pipeline(self, id_or_tag: str) -> tuple[Execution, Pipeline]:
        """An execution with the pipeline of its snapshot; raises ExecutionNotFound, SnapshotNotRunnable."""
        execution = await self.get(id_or_tag)
        return execution, readable_pipeline_of(execution, self.engine.ports.registry)

    async def events(
        self, id_or_tag: str, *, timeout_seconds: float = 300.0, of_objects: bool = False
    ) -> AsyncIterator[Event]:
        """What happens to an execution from now on, until it has ended or the time is up.

        Beside the execution itself it is of its messages, or else of the objects that it keeps. The last event tells the
        terminal status, also when it had ended before. Raises ExecutionNotFound.
        """
        execution = await self.get(id_or_tag)
        loop = asyncio.get_running_loop()
        deadline = loop.time() + timeout_seconds
        async with self.engine.ports.events.listen(execution.id) as stream:
            # Read again now that we listen: what happened in between is seen either here or there.
            execution = await self.get(str(execution.id))
            if execution.status.is_terminal:
                yield self._status_event(execution)
                return
            while (event := await _next(stream, deadline - loop.time())) is not None:
                is_last = event.type in _LAST
                if is_last and of_objects:
                    # What another process kept just before may still be on its way.
                    deadline = min(deadline, loop.time() + LATE_SECONDS)
                    while late := await _next(stream, deadline - loop.time()):
                        if late.type == OBJECT_CREATED:
                            yield late
                if not event.is_of_message or (event.type == OBJECT_CREATED) is of_objects:
                    yield event
                if is_last:
                    return

    async def follow(self, execution_id: UUID, *, look_seconds: float) -> AsyncIterator[Execution]:
        """The execution as it stands now and every so many seconds, and as soon as it has ended.

        The last one runs no longer. While the database is away there is nothing to be told. Raises ExecutionNotFound.
        """
        async with self.engine.ports.events.listen(execution_id, with_messages=False) as stream:
            is_running = True
            while is_running:
                execution = None
                with suppress(Unavailable):
                    execution = await self.get(str(execution_id))
                if execution is not None:
                    yield execution
                    is_running = execution.status is ExecutionStatus.RUNNING
                if is_running:
                    await _next(stream, look_seconds)

    def _status_event(self, execution: Execution) -> Event:
        ports = self.engine.ports
        return Event(
            id=ports.ids.new_id(),
            type=f"execution.{execution.status}",
            execution_id=execution.id,
            at=execution.completed_at or ports.clock.now(),
            data={"generation": execution.generation},
        )


_LAST = {f"execution.{status}" for status in ExecutionStatus if status.is_terminal}


async def _next(stream: AsyncIterator[Event], seconds: float) -> Event | None:
    try:
        async with asyncio.timeout(max(0.0, seconds)):
            return await anext(stream, None)
    except TimeoutError:
        return None


def _init(execution_id: UUID, pipeline: Pipeline, overrides: JsonObject) -> Message:
    init = pipeline.init_message
    if init is None:
        raise NoInitMessage
    payload = merged(init.payload, overrides)
    require_within_limit(payload)
    return Message(
        id=init_message_id(execution_id), execution_id=execution_id, route_id=init.route, payload=payload
    )
