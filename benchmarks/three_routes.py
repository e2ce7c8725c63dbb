"""Three routes after a source, in an embedded stack without a model: what a message's hops cost."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from uuid import UUID

import psycopg

from adapters.memory.models import MemoryEmbeddingModel
from application.contents import Application
from application.ports.lineage import LineageSink
from benchmarks.messages import Schedule, registry
from benchmarks.outcome import NotMeasurable
from benchmarks.stack import Cost, PostgresProcesses, settings
from domain.errors import FactflowError
from domain.execution import ExecutionStatus
from entrypoints.composition.adapters import EmbeddedAdapters
from entrypoints.composition.running import running

ROUTES = 3
"""The routes that each message passes; a hop is one message claimed, processed and settled in one of them."""
WORKERS = 256
"""How many messages each route works on at once."""
POLL_SECONDS = 0.05

_YAML = """
version: "1.0"
routes:
  source:
    name: Source
    inbound: {{queue: /queue/source, concurrency: 1}}
    adapters: [{{type: source}}]
    outbound: /queue/first
  first:
    name: First
    inbound: {{queue: /queue/first, concurrency: {workers}}}
    adapters: [{{type: pass_on}}]
    outbound: /queue/second
  second:
    name: Second
    inbound: {{queue: /queue/second, concurrency: {workers}}}
    adapters: [{{type: pass_on}}]
    outbound: /queue/third
  third:
    name: Third
    inbound: {{queue: /queue/third, concurrency: {workers}}}
    adapters: [{{type: arrive}}]
init_message:
  route: source
  payload: {{}}
"""


@dataclass(slots=True, kw_only=True)
class Stack:
    """A running embedded server with the benchmark's pipeline in it."""

    application: Application
    lineage: LineageSink
    schedule: Schedule
    postgres: PostgresProcesses
    config_id: UUID

    async def start(self, messages: int) -> UUID:
        """Start a run over so many messages; returns its id."""
        overrides = {"messages": messages}
        started = await self.application.executions.start(self.config_id, init_payload_overrides=overrides)
        return started.id

    async def settled(self, execution_id: UUID, messages: int) -> None:
        """Return when every message is settled and what lineage took is written; raises NotMeasurable."""
        while True:
            execution = await self.application.executions.get(str(execution_id))
            if execution.status.is_terminal:
                break
            await asyncio.sleep(POLL_SECONDS)
        expected = 1 + ROUTES * messages
        if execution.status is not ExecutionStatus.COMPLETED or execution.counts.done != expected:
            raise NotMeasurable(
                f"the run ended {execution.status.value} with {execution.counts.done} of {expected} messages done"
            )
        await self.lineage.flush()

    async def run(self, messages: int) -> Cost:
        """Send so many messages through all three routes, as fast as it goes, and tell what that cost."""
        postgres, own, started = self.postgres.cpu(), time.process_time(), time.perf_counter()
        await self.settled(await self.start(messages), messages)
        return Cost(
            seconds=time.perf_counter() - started,
            cpu=time.process_time() - own,
            postgres_cpu=self.postgres.cpu() - postgres,
        )

    async def written(self, execution_id: UUID) -> int:
        """How many lineage entries of a run the database holds."""
        async with await psycopg.AsyncConnection.connect(self.postgres.url()) as connection:
            statement = "SELECT count(*) FROM lineage_entry WHERE execution_id = %s"
            row = await (await connection.execute(statement, (execution_id,))).fetchone()
        assert row is not None
        return int(row[0])


@asynccontextmanager
async def three_routes(
    data: Path, *, workers: int = WORKERS, sink: Callable[[], LineageSink] | None = None
) -> AsyncIterator[Stack]:
    """The real composition root over a fresh data folder; ``sink`` takes the place of the lineage sink.

    Raises NotMeasurable when it does not start.
    """
    chosen, schedule = replace(settings(data), config_validator_strict=False), Schedule()
    adapters = EmbeddedAdapters(settings=chosen)
    adapters.model.override(MemoryEmbeddingModel())
    adapters.registry.override(registry(schedule))
    if sink is not None:
        adapters.lineage.override(sink())
    try:
        # The shipped pipelines name pipeline adapters that are not in this registry, and are left out.
        async with running(chosen, adapters) as application:
            config = await application.configs.create(name="three routes", yaml=_YAML.format(workers=workers))
            yield Stack(
                application=application,
                lineage=adapters.lineage(),
                schedule=schedule,
                postgres=PostgresProcesses(data),
                config_id=config.config.id,
            )
    except FactflowError as error:
        raise NotMeasurable(f"the embedded stack does not run: {error.message} ({error.code})") from error
