"""Whoever starts a run is answered, and what was started is run, whatever happens while it is being opened."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TypeAlias

from adapters.memory.ledger import MemoryLedger
from adapters.memory.message_queue import InProcessMessageQueue
from adapters.memory.waiting_line import InProcessSubscription
from application.ports.pipeline_adapter import AdapterResult, PipelineAdapter, PipelineContext, RouteContext
from domain.execution import ExecutionStatus
from domain.json import JsonObject
from tests.unit.engines import Acts, bench, ended_well, pipeline, route
from tests.unit.test_engine import passing

Before: TypeAlias = Callable[[], Awaitable[None]]


class SlowQueue(InProcessMessageQueue):
    """A queue to which subscribing takes its time, or fails."""

    def __init__(self, before: Before) -> None:
        super().__init__()
        self._before = before

    @asynccontextmanager
    async def subscribe(self, queue: str, *, prefetch: int) -> AsyncIterator[InProcessSubscription]:
        await self._before()
        async with super().subscribe(queue, prefetch=prefetch) as subscription:
            yield subscription


async def never() -> None:
    """Do not come to an end."""
    await asyncio.Event().wait()


async def failing() -> None:
    """What only a defect brings about."""
    raise RuntimeError("no such queue")


async def test_who_starts_a_run_that_is_cancelled_before_it_is_subscribed_is_answered() -> None:
    """It gets the execution, which has ended."""
    async with bench({"pass": passing}) as on:
        object.__setattr__(on.engine.ports, "queue", SlowQueue(never))
        starting = asyncio.create_task(on.start(route("a", "pass")))
        await asyncio.sleep(0.01)
        (execution_id,) = on.engine.running
        await on.ledger.conclude(execution_id, ExecutionStatus.CANCELLED, now=on.engine.ports.clock.now())
        on.engine.stop(execution_id, ExecutionStatus.CANCELLED)
        async with asyncio.timeout(5):
            await starting
        assert (await on.ended(execution_id)).counts.cancelled == 1


async def test_who_starts_a_run_that_cannot_subscribe_is_answered() -> None:
    """The run has failed."""
    async with bench({"pass": passing}) as on:
        object.__setattr__(on.engine.ports, "queue", SlowQueue(failing))
        async with asyncio.timeout(5):
            started = await on.start(route("a", "pass"))
        assert (await on.ended(started.id)).status is ExecutionStatus.FAILED


@dataclass(slots=True)
class SlowToOpen:
    """A stateful pipeline adapter that is open when it is told so."""

    may_open: asyncio.Event = field(default_factory=asyncio.Event)

    async def open(self, context: RouteContext) -> None:
        del context
        await self.may_open.wait()

    async def close(self) -> None:
        """Nothing is kept."""

    async def process(self, context: PipelineContext) -> AdapterResult:
        return AdapterResult(message=context.message)


@dataclass(frozen=True, slots=True)
class OneAdapter(Acts):
    """A registry of one instance."""

    adapter: PipelineAdapter

    def build(self, type: str, config: JsonObject) -> PipelineAdapter:
        del type, config
        return self.adapter


async def test_a_run_whose_start_was_given_up_is_left_to_recovery() -> None:
    """It is not kept for one that runs here, which nobody would ever take up."""
    adapter, ledger = SlowToOpen(), MemoryLedger()
    registry = OneAdapter({"slow": passing}, adapter)
    async with bench({}, registry=registry, ledger=ledger, executions=ledger) as on:
        starting = asyncio.create_task(on.start(route("a", "slow")))
        await asyncio.sleep(0.01)
        (execution_id,) = on.engine.running
        starting.cancel()
        await asyncio.gather(starting, return_exceptions=True)
        await on.engine.ended(execution_id)
        assert on.engine.running == []
        adapter.may_open.set()
        await on.engine.resume(ledger.executions[execution_id], pipeline(route("a", "slow")))
        assert ended_well(await on.ended(execution_id))
