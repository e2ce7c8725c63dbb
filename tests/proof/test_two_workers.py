"""Two workers with the same message in hand: one of them settles it, and its children are there once."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack
from typing import Self
from uuid import UUID, uuid4

import pytest

from application.engine.engine import Engine
from application.ports.ledger import Ledger
from application.ports.pipeline_adapter import AdapterResult, Emission, PipelineContext
from domain.execution import ExecutionStatus
from domain.pipeline import Route
from tests.proof.lives import Life, Moment
from tests.proof.stores import Store, counted, opened_store
from tests.unit.engines import Act, Bench, bench, pipeline, route


@pytest.fixture(params=["memory", pytest.param("postgres", marks=pytest.mark.slow)])
async def store(request: pytest.FixtureRequest) -> AsyncIterator[Store]:
    """Each store there is."""
    async with opened_store(request.param, lambda: request.getfixturevalue("postgres_url")) as opened:
        yield opened


async def random_children(context: PipelineContext) -> AdapterResult:
    """Emit another number of messages with other contents in every attempt."""
    attempt = [
        Emission(payload={"chance": random.random()}, key=f"{uuid4()}") for _ in range(random.randint(1, 6))
    ]
    return AdapterResult(message=context.message, emitted=attempt)


async def passing(context: PipelineContext) -> AdapterResult:
    """Hand the message on as it is."""
    return AdapterResult(message=context.message)


ROUTES: Sequence[Route] = (route("a", "random", to="b"), route("b", "pass"))


class Workers:
    """Two engines with different owners over one store."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.life = Life()
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> Self:
        self.zombie = await self._worker(self.life)
        self.other = await self._worker(Life())
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()

    async def _worker(self, life: Life) -> Bench:
        acts: dict[str, Act] = {"random": random_children, "pass": passing}
        ledger: Ledger = life.port(self.store.ledger)
        return await self._stack.enter_async_context(
            bench(acts, ledger=ledger, executions=life.port(self.store.executions))
        )

    async def take_from(self, worker: Engine, *, by: Bench, execution_id: UUID) -> None:
        """Sweep as when a worker's lease has run out, and let another take the run up."""
        ports = by.engine.ports
        await self.store.executions.sweep(live_owners=[ports.owner], now=ports.clock.now())
        assert worker.ports.owner != ports.owner
        execution = (await self.store.every_execution())[execution_id]
        await by.engine.resume(execution, pipeline(*ROUTES))


@pytest.mark.parametrize("count", [3, pytest.param(60, marks=pytest.mark.soak)])
async def test_a_zombie_and_its_successor_make_one_set_of_children(store: Store, count: int) -> None:
    """The one that was swept settles nothing when it wakes up, however random what it emits."""
    for _ in range(count):
        async with Workers(store) as workers:
            workers.life.freezes_at = Moment("settle", is_after=False)
            started = await workers.zombie.start(*ROUTES)
            await workers.life.frozen.wait()
            await workers.take_from(workers.zombie.engine, by=workers.other, execution_id=started.id)
            ended = await workers.other.ended(started.id)
            before = await store.rows()
            workers.life.thaw()
            await workers.zombie.ended(started.id)
            assert await store.rows() == before
        assert ended.status is ExecutionStatus.COMPLETED
        assert ended.counts == counted(before)[started.id]
        (init,) = [row for row in before.values() if row.execution_id == started.id and row.route_id == "a"]
        assert (init.state, init.attempt) == ("done", 2)


@pytest.mark.parametrize("count", [5, pytest.param(200, marks=pytest.mark.soak)])
async def test_of_two_workers_that_settle_at_once_one_has_children(store: Store, count: int) -> None:
    """The zombie wakes at the very moment at which its successor is at it."""
    for number in range(count):
        async with Workers(store) as workers:
            workers.life.freezes_at = Moment("settle", is_after=False)
            started = await workers.zombie.start(*ROUTES)
            await workers.life.frozen.wait()
            taken = asyncio.create_task(
                workers.take_from(workers.zombie.engine, by=workers.other, execution_id=started.id)
            )
            for _ in range(number * 3):
                await asyncio.sleep(0)
            workers.life.thaw()
            await taken
            ended = await workers.other.ended(started.id)
            await workers.zombie.ended(started.id)
        rows = {row.id: row for row in (await store.rows()).values() if row.execution_id == started.id}
        assert ended.status is ExecutionStatus.COMPLETED
        assert ended.counts == counted(rows)[started.id]
        assert all(row.state == "done" for row in rows.values())


@pytest.mark.parametrize("workers", [2, pytest.param(5, marks=pytest.mark.soak)])
async def test_many_workers_share_a_run_and_each_message_has_one_set_of_children(
    store: Store, workers: int
) -> None:
    """Each has the whole run before it, and every message is claimed by one of them."""
    seen: list[UUID] = []

    async def fan(context: PipelineContext) -> AdapterResult:
        emitted = [Emission(payload={"n": n}) for n in range(60)]
        return AdapterResult(message=context.message, emitted=emitted)

    async def slow(context: PipelineContext) -> AdapterResult:
        seen.append(context.message_id)
        await asyncio.sleep(random.random() * 0.003)
        return await random_children(context)

    acts: dict[str, Act] = {"fan": fan, "random": slow, "pass": passing}
    routes = (route("f", "fan", to="a"), *ROUTES)
    async with AsyncExitStack() as stack:
        benches = [
            await stack.enter_async_context(bench(acts, ledger=store.ledger, executions=store.executions))
            for _ in range(workers)
        ]
        started = await benches[0].start(*routes)
        for other in benches[1:]:
            await other.engine.resume(started, pipeline(*routes))
        ended = await benches[0].ended(started.id, within=60)
        for one in benches[1:]:
            await one.ended(started.id)
    rows = await store.rows()
    assert ended.status is ExecutionStatus.COMPLETED
    assert ended.counts == counted(rows)[started.id]
    assert len(seen) == len(set(seen)) == 60
    assert {row.attempt for row in rows.values()} == {1}
