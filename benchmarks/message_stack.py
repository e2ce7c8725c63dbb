"""An embedded stack without a model, with a source and a row of routes after it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from uuid import UUID

from adapters.memory.models import MemoryEmbeddingModel
from application.contents import Application
from application.ports.message_queue import MessageQueue
from benchmarks.messages import Beside, Course, registry
from benchmarks.outcome import NotMeasurable
from benchmarks.pass_through import NotingLedger, SwitchedSink
from benchmarks.stack import Cost, PostgresProcesses, settings
from domain.errors import FactflowError
from domain.execution import ExecutionStatus
from entrypoints.composition.adapters import EmbeddedAdapters
from entrypoints.composition.running import running

ROUTES = 3
WORKERS = 256
"""How many messages each route works on at once."""
MOST_WORKERS = 1000
"""The most that a route may have; so many messages wait in a paced run for their moment."""
POLL_SECONDS = 0.05


@dataclass(slots=True, kw_only=True)
class Stack:
    """A running embedded server with the benchmark's pipeline in it.

    A hop is one message claimed, processed and settled in one of the routes after the source.
    """

    application: Application
    lineage: SwitchedSink
    course: Course
    postgres: PostgresProcesses
    config_id: UUID
    routes: int

    async def start(self, messages: int, *, rate: float = 0.0) -> UUID:
        """Start a run over so many messages, as fast as it goes or at so many a second; returns its id."""
        self.course.begin(rate)
        overrides = {"messages": messages}
        started = await self.application.executions.start(self.config_id, init_payload_overrides=overrides)
        return started.id

    async def ended(self, execution_id: UUID, messages: int) -> None:
        """Return when every message is settled and what lineage took is written; raises NotMeasurable."""
        while True:
            execution = await self.application.executions.get(str(execution_id))
            if execution.status.is_terminal:
                break
            await asyncio.sleep(POLL_SECONDS)
        expected = 1 + self.routes * messages
        if execution.status is not ExecutionStatus.COMPLETED or execution.counts.done != expected:
            raise NotMeasurable(
                f"the run ended {execution.status.value} with {execution.counts.done} of {expected} messages done"
            )
        await self.lineage.flush()

    async def run(self, messages: int, *, rate: float = 0.0) -> Cost:
        """Send so many messages through all routes and tell what that cost, its lineage included."""
        before, own, started = self.postgres.cpu(), time.process_time(), time.perf_counter()
        await self.ended(await self.start(messages, rate=rate), messages)
        return Cost(
            seconds=time.perf_counter() - started,
            cpu=time.process_time() - own,
            postgres_cpu=self.postgres.cpu() - before,
        )

    def per_hop(self, cost: Cost, messages: int) -> tuple[float, float]:
        """Microseconds of processor time: of this process, and of PostgreSQL."""
        hops = self.routes * messages
        return cost.cpu / hops * 1e6, cost.postgres_cpu / hops * 1e6


@asynccontextmanager
async def message_stack(
    data: Path,
    *,
    routes: int = ROUTES,
    workers: int = WORKERS,
    is_paced: bool = False,
    has_model: bool = False,
    queue: MessageQueue | None = None,
) -> AsyncIterator[Stack]:
    """The real composition root over a fresh data folder; raises NotMeasurable when it does not start.

    ``is_paced`` prepares it for runs at a fixed rate. ``has_model`` loads the embedding model, which nothing here uses.
    ``queue`` takes the place of the queue in this process.
    """
    chosen, course = replace(settings(data), config_validator_strict=False), Course()
    adapters = EmbeddedAdapters(settings=chosen)
    if not has_model:
        adapters.model.override(MemoryEmbeddingModel())
    # The shipped pipelines are taken in at the start, so what they name must be there too.
    adapters.registry.override(Beside(registry(course), adapters.registry()))
    sink = SwitchedSink(adapters.lineage())
    adapters.lineage.override(sink)
    if queue is not None:
        adapters.queue.override(queue)
    if is_paced:
        adapters.ledger.override(NotingLedger(adapters.ledger(), course))
    try:
        async with running(chosen, adapters) as application:
            checked = await application.configs.create(name="messages", yaml=_yaml(routes, workers, is_paced))
            yield Stack(
                application=application,
                lineage=sink,
                course=course,
                postgres=PostgresProcesses(data),
                config_id=checked.config.id,
                routes=routes,
            )
    except FactflowError as error:
        raise NotMeasurable(f"the embedded stack does not run: {error.message} ({error.code})") from error


def _yaml(routes: int, workers: int, is_paced: bool) -> str:  # noqa: FBT001 - private
    """Routes ``route-1`` and so on behind ``source``; the first may hold many messages back, the last counts them."""
    parts = ['version: "1.0"', "init_message: {route: source, payload: {}}", "routes:"]
    parts.append(_route("source", "source", "source", 1, onward="route-1"))
    for number in range(1, routes + 1):
        is_first, is_last = number == 1, number == routes
        adapter = "pace" if is_first and is_paced else "arrive" if is_last else "pass_on"
        onward = None if is_last else f"route-{number + 1}"
        concurrency = MOST_WORKERS if is_first and is_paced else workers
        parts.append(_route(f"route-{number}", adapter, f"route-{number}", concurrency, onward=onward))
    return "\n".join(parts)


def _route(route_id: str, adapter: str, queue: str, concurrency: int, *, onward: str | None) -> str:
    outbound = "" if onward is None else f"\n    outbound: /queue/{onward}"
    return f"""  {route_id}:
    name: {route_id}
    inbound: {{queue: /queue/{queue}, concurrency: {concurrency}}}
    adapters: [{{type: {adapter}}}]{outbound}"""
