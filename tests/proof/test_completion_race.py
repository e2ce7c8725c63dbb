"""Many small executions of random shape at once: each completes, and none before its last message is settled."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from adapters.memory.ledger import MemoryLedger
from adapters.postgres.execution_ledger import PostgresExecutionLedger
from adapters.postgres.ledger import PostgresLedger
from application.ports.pipeline_adapter import AdapterResult, Emission, PipelineContext
from domain.execution import ExecutionStatus, MessageCounts
from tests.databases import fresh_database
from tests.unit.engines import Bench, bench, route

ROUTES = [
    route("a", "grow", to=("b", "c"), concurrency=3),
    route("b", "grow", to=("c", "d"), concurrency=3),
    route("c", "grow", to="d", concurrency=3),
    route("d", "grow"),
]
OUTBOUND = {"a": ("b", "c"), "b": ("c", "d"), "c": ("d",), "d": ()}
AT_ONCE = 50


def emitted(seed: int, path: str) -> int:
    """How many messages one message sends on, always the same for the same run and path."""
    return random.Random(f"{seed} {path}").choice([0, 1, 1, 2, 3]) if len(path) < 4 else 1


def size(seed: int, name: str = "a", path: str = "") -> int:
    """How many messages a run has."""
    children = (f"{path}{number}" for number in range(emitted(seed, path)))
    return 1 + sum(size(seed, target, child) for child in children for target in OUTBOUND[name])


async def grow(context: PipelineContext) -> AdapterResult:
    """Take a random while, and send on what the shape says, all at once or one after the other."""
    seed, path = context.message["seed"], context.message["path"]
    assert isinstance(seed, int)
    assert isinstance(path, str)
    if random.random() < 0.5:
        await asyncio.sleep(random.random() * 0.004)
    emissions = [
        Emission(payload={"seed": seed, "path": f"{path}{number}"}) for number in range(emitted(seed, path))
    ]

    async def stream() -> AsyncIterator[Emission]:
        for emission in emissions:
            await asyncio.sleep(0)
            yield emission

    return AdapterResult(message=context.message, emitted=stream() if random.random() < 0.3 else emissions)


@asynccontextmanager
async def opened(kind: str, request: pytest.FixtureRequest) -> AsyncIterator[Bench]:
    """A bench over one of the ledgers, whose events nobody misses."""
    if kind == "memory":
        ledger = MemoryLedger()
        async with bench({"grow": grow}, ledger=ledger, executions=ledger, capacity=16) as on:
            yield on
        return
    async with (
        fresh_database(request.getfixturevalue("postgres_url")) as database,
        bench(
            {"grow": grow},
            ledger=PostgresLedger(database),
            executions=PostgresExecutionLedger(database),
            capacity=16,
        ) as on,
    ):
        yield on


async def run_one(on: Bench, seed: int) -> None:
    """Run one shape, and see at the moment its completion is told that everything is settled."""
    started = await on.start(*ROUTES, payload={"seed": seed, "path": ""})
    async with on.events.listen(started.id) as events:
        seen = await on.seen(started.id)
        if not seen.status.is_terminal:
            async with asyncio.timeout(120):
                async for event in events:
                    if event.type.startswith("execution.") and event.type != "execution.started":
                        assert event.type == "execution.completed"
                        break
            seen = await on.seen(started.id)
    assert seen.status is ExecutionStatus.COMPLETED
    assert seen.counts == MessageCounts(done=size(seed)), seed


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kind", "runs"),
    [
        pytest.param("memory", 200, id="memory"),
        pytest.param("postgres", 100, id="postgres"),
        pytest.param("memory", 10_000, id="memory in full", marks=pytest.mark.soak),
        pytest.param("postgres", 10_000, id="postgres in full", marks=pytest.mark.soak),
    ],
)
async def test_every_execution_of_a_random_shape_completes_and_none_early(
    kind: str, runs: int, request: pytest.FixtureRequest
) -> None:
    """Whatever the order in which its messages settle."""
    gate = asyncio.Semaphore(AT_ONCE)

    async def one(seed: int) -> None:
        async with gate:
            await run_one(on, seed)

    async with opened(kind, request) as on, asyncio.TaskGroup() as group:
        for seed in range(runs):
            group.create_task(one(seed))
    assert sum(size(seed) for seed in range(100)) > 500, "the shapes are too small to prove anything"
