"""Connections to PostgreSQL that break at the worst moment: after a commit, and before its answer."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TypedDict
from uuid import UUID

import pytest

from adapters.memory.leases import MemoryLeases
from adapters.postgres.database import Database
from adapters.postgres.execution_ledger import PostgresExecutionLedger
from adapters.postgres.ledger import PostgresLedger
from application.engine.recovery import Recovery
from application.ports.pipeline_adapter import AdapterResult, Emission, PipelineContext
from domain.execution import Execution, ExecutionStatus
from tests.databases import fresh_database
from tests.proof.links import Link, linked
from tests.proof.stores import Rows, counted, postgres_store
from tests.unit.engines import Act, Bench, bench, route

pytestmark = pytest.mark.slow


async def passing(context: PipelineContext) -> AdapterResult:
    """Hand the message on as it is."""
    return AdapterResult(message=context.message)


async def fanning(context: PipelineContext) -> AdapterResult:
    """Emit a few messages."""
    emitted = [Emission(payload={"number": number}) for number in range(20)]
    return AdapterResult(message=context.message, emitted=emitted)


ROUTES = (route("a", "fan", to="b"), route("b", "pass"))


async def never(context: PipelineContext) -> AdapterResult:
    """Do not come to an end."""
    await asyncio.Event().wait()
    return AdapterResult(message=context.message)


ACTS: dict[str, Act] = {"fan": fanning, "pass": passing, "never": never}


class Sides(TypedDict):
    """Both sides of a ledger."""

    ledger: PostgresLedger
    executions: PostgresExecutionLedger


def over(database: Database) -> Sides:
    """The ledger in a database."""
    return Sides(ledger=PostgresLedger(database), executions=PostgresExecutionLedger(database))


@asynccontextmanager
async def over_a_link(postgres_url: str) -> AsyncIterator[tuple[Bench, Link, Database]]:
    """An engine whose ledger is at the other end of a link, the link, and the database without it."""
    async with (
        fresh_database(postgres_url) as database,
        linked(database.url) as link,
        Database(link.url) as distant,
        bench(ACTS, ledger=PostgresLedger(distant), executions=PostgresExecutionLedger(distant)) as on,
    ):
        yield on, link, database


async def rows_in(database: Database) -> Rows:
    """What the ledger has."""
    return await postgres_store(database).rows()


async def ended_in(database: Database, execution_id: UUID) -> Execution:
    """The execution once it has ended, seen from elsewhere."""
    store = postgres_store(database)
    async with asyncio.timeout(30):
        while True:
            execution = (await store.every_execution())[execution_id]
            if execution.status.is_terminal:
                return execution
            await asyncio.sleep(0.02)


async def test_a_start_whose_answer_is_lost_begins_one_run(postgres_url: str) -> None:
    """It is asked for again, and found to have been done."""
    async with over_a_link(postgres_url) as (on, link, database):
        link.cut_at = b"COMMIT"
        started = await on.start(*ROUTES)
        assert link.cuts == 1, "nothing was cut: the start no longer ends with a COMMIT of its own"
        ended = await ended_in(database, started.id)
        rows = await rows_in(database)
    assert (ended.status, ended.counts.done) == (ExecutionStatus.COMPLETED, 21)
    assert {row.execution_id for row in rows.values()} == {started.id}


@pytest.mark.parametrize("nth", [2, *(pytest.param(nth, marks=pytest.mark.soak) for nth in (3, 4))])
async def test_a_settlement_whose_answer_is_lost_counts_once(nth: int, postgres_url: str) -> None:
    """The group is committed again, and its children are there once."""
    async with over_a_link(postgres_url) as (on, link, database):
        # The first one is the start's own.
        link.cut_at, link.passing = b"COMMIT", nth
        started = await on.start(*ROUTES)
        ended = await ended_in(database, started.id)
        rows = await rows_in(database)
        assert link.cuts == 1, f"nothing was cut: there were no {nth} transactions"
    assert (ended.status, ended.counts) == (ExecutionStatus.COMPLETED, counted(rows)[started.id])
    assert len(rows) == 21


@pytest.mark.parametrize("seconds", [0.5, pytest.param(5.0, marks=pytest.mark.soak)])
async def test_a_run_waits_for_a_database_that_refuses_connections(seconds: float, postgres_url: str) -> None:
    """And goes on by itself."""
    async with over_a_link(postgres_url) as (on, link, database):
        started = await on.start(*ROUTES)
        link.is_down = True
        link.cut()
        await asyncio.sleep(seconds)
        link.is_down = False
        ended = await ended_in(database, started.id)
        rows = await rows_in(database)
    assert (ended.status, ended.counts) == (ExecutionStatus.COMPLETED, counted(rows)[started.id])
    assert len(rows) == 21


async def test_recovery_waits_for_a_database_that_is_away(postgres_url: str) -> None:
    """It does not keep the server from starting for good, and takes up what there is once it can."""
    async with fresh_database(postgres_url) as database:
        async with bench(ACTS, **over(database)) as first:
            started = await first.start(route("a", "never", to="b"), route("b", "pass"))
        async with linked(database.url) as link, Database(link.url) as distant:
            link.is_down = True
            link.cut()
            async with bench(ACTS, **over(distant)) as on:
                recovery = Recovery(engine=on.engine, leases=MemoryLeases(), is_alone=True)
                entering = asyncio.create_task(recovery.__aenter__())
                await asyncio.sleep(0.3)
                assert not entering.done()
                link.is_down = False
                async with asyncio.timeout(30):
                    await entering
                seen = await on.seen(started.id)
                await recovery.__aexit__(None, None, None)
        # Its snapshot names no pipeline, so what recovery makes of it is a failure with the reason.
        assert seen.status is ExecutionStatus.FAILED
