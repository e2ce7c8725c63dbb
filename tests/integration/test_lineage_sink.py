"""The lineage sink when the database is away, full of itself or offended by a value."""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest
from psycopg import sql

from adapters.postgres.database import Database
from adapters.postgres.lineage_reader import PostgresLineageReader
from adapters.postgres.lineage_sink import BATCH, PostgresLineageSink
from application.ports.lineage import LineageQuery
from domain.lineage import LineageEntry, StageStatus

pytestmark = pytest.mark.slow

EXECUTION = uuid4()
NOWHERE = "postgresql://nobody@127.0.0.1:1/none?connect_timeout=1"


def entry(**fields: Any) -> LineageEntry:
    plain = LineageEntry(
        id=uuid4(),
        parent_id=None,
        execution_id=EXECUTION,
        message_id=uuid4(),
        route_id="r",
        adapter_name="a",
        adapter_index=0,
        attempt=1,
        stage_name="s",
        status=StageStatus.COMPLETED,
        started_at=datetime.now(UTC),
    )
    return replace(plain, **fields)


async def count(database: Database) -> int:
    return (await PostgresLineageReader(database).list(LineageQuery(limit=0)))[1]


async def test_whoever_asked_is_told_of_each_entry(database: Database) -> None:
    """As it is recorded, before it is written."""
    told: list[LineageEntry] = []
    async with PostgresLineageSink(database, told=told.append) as sink:
        first = entry()
        sink.record(first)
        assert told == [first]
    assert await count(database) == 1


def refuse_connections(database: Database, *, refuse: bool) -> None:
    """Cut everyone off from the database, or let them in again."""
    name = str(psycopg.conninfo.conninfo_to_dict(database.url)["dbname"])
    with psycopg.connect(database.url, dbname="postgres", autocommit=True) as connection:
        statement = sql.SQL("ALTER DATABASE {} ALLOW_CONNECTIONS {}")
        connection.execute(statement.format(sql.Identifier(name), not refuse))
        if refuse:
            connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", (name,)
            )


async def test_entries_wait_for_a_database_that_was_away(database: Database) -> None:
    """None is lost, and recording takes no longer meanwhile."""
    async with PostgresLineageSink(database, flush_seconds=0.01) as sink:
        sink.record(entry())
        await sink.flush()
        refuse_connections(database, refuse=True)
        begun = time.perf_counter()
        changed = entry(status=StageStatus.PROCESSING)
        for recorded in [entry() for _ in range(1500)] + [changed]:
            sink.record(recorded)
        assert time.perf_counter() - begun < 0.5
        await asyncio.sleep(0.3)
        sink.record(replace(changed, status=StageStatus.FAILED))
        refuse_connections(database, refuse=False)
        async with asyncio.timeout(20):
            await sink.flush()
        assert sink.dropped == 0
    # The pool may still have a connection that was cut, and asks after one only when it has idled for a second.
    async with Database(database.url) as afresh:
        assert await count(afresh) == 1502
        assert (await PostgresLineageReader(afresh).get(changed.id)).status is StageStatus.FAILED


async def test_a_value_that_cannot_be_stored_spoils_no_other(database: Database) -> None:
    """What can be cleaned is cleaned; what cannot is left out alone, and counted."""
    deep: Any = []
    for _ in range(3000):
        deep = [deep]
    dirty = [
        entry(metadata={"title": "a\0b", "k\0": ["\0"]}, route_id="r\0"),
        entry(metadata={"title": "\ud800x", "\udfff": 1}, stage_name="\ud800"),
        entry(metadata={"n": float("nan"), "i": float("inf"), "big": 10**400, "set": {1}}),
        entry(metadata={"deep": deep}),
        entry(error={"message": "\0", "cause": ValueError("x")}, status=StageStatus.FAILED),
    ]
    hopeless = [
        entry(adapter_index=2**40),
        entry(started_at="no time"),
        entry(id="no id"),
        entry(metadata=None),
    ]
    clean = [entry() for _ in range(200)]
    async with PostgresLineageSink(database, flush_seconds=0.01) as sink:
        for recorded in [*clean[:100], *dirty, *hopeless, *clean[100:]]:
            sink.record(recorded)
        await sink.flush()
        assert sink.dropped == 4
    reader = PostgresLineageReader(database)
    assert await count(database) == 200 + len(dirty)
    first = await reader.get(dirty[0].id)
    assert (first.metadata, first.route_id) == ({"title": "a\ufffdb", "k\ufffd": ["\ufffd"]}, "r\ufffd")
    second = await reader.get(dirty[1].id)
    assert second.metadata == {"title": "\ufffdx", "\ufffd": 1}
    assert (await reader.get(dirty[2].id)).metadata["n"] is None
    assert (await reader.get(dirty[4].id)).error == {"message": "\ufffd", "cause": "ValueError('x')"}


async def test_what_exceeds_the_capacity_is_dropped_and_counted() -> None:
    """And closing gives up in time; what then still waits was dropped too."""
    begun = time.perf_counter()
    async with PostgresLineageSink(Database(NOWHERE), capacity=100, close_seconds=0.3) as sink:
        for _ in range(130):
            sink.record(entry())
        assert sink.dropped == 30
    assert sink.dropped == 130
    assert time.perf_counter() - begun < 3


async def test_what_is_dropped_while_a_batch_is_being_written_stays_counted(database: Database) -> None:
    """The batch waits for a lock, and is written once that is gone."""
    async with PostgresLineageSink(database, capacity=10, flush_seconds=0.01) as sink:
        with psycopg.connect(database.url) as other:
            other.execute("LOCK TABLE lineage_entry IN ACCESS EXCLUSIVE MODE")
            for _ in range(10):
                sink.record(entry())
            while not other.execute("SELECT 1 FROM pg_locks WHERE NOT granted").fetchall():  # noqa: ASYNC110 - another session sets it
                await asyncio.sleep(0.01)
            for _ in range(3):
                sink.record(entry())
        await sink.flush()
        assert (sink.dropped, await count(database)) == (3, 10)


async def test_leaving_writes_what_waits(database: Database) -> None:
    """Also what was recorded before the sink was opened; in the time of an interval that has not passed."""
    sink = PostgresLineageSink(database, flush_seconds=60)
    sink.record(entry())
    async with sink:
        sink.record(entry())
    assert await count(database) == 2
    assert sink.dropped == 0


async def test_entries_are_written_in_time_without_being_asked(database: Database) -> None:
    """After the interval, or when a batch is full."""
    async with PostgresLineageSink(database, flush_seconds=0.05) as sink:
        sink.record(entry())
        async with asyncio.timeout(5):
            while await count(database) == 0:  # noqa: ASYNC110  # the table has no event to wait for
                await asyncio.sleep(0.02)
    async with PostgresLineageSink(database, flush_seconds=60) as sink:
        for _ in range(BATCH):
            sink.record(entry())
        async with asyncio.timeout(5):
            while await count(database) <= BATCH:  # noqa: ASYNC110
                await asyncio.sleep(0.02)


async def test_a_flush_without_an_open_sink_returns() -> None:
    """There is no one who could write."""
    sink = PostgresLineageSink(Database(NOWHERE))
    sink.record(entry())
    async with asyncio.timeout(1):
        await sink.flush()


async def test_the_same_entries_from_many_writers_settle_on_the_latest(database: Database) -> None:
    """Two processes may record one attempt; neither fails, whatever the order of their rows."""
    ids = [UUID(int=number) for number in range(400)]
    async with (
        PostgresLineageSink(database, flush_seconds=0.001) as one,
        PostgresLineageSink(database, flush_seconds=0.001) as other,
    ):
        for _ in range(5):
            for number in ids:
                one.record(entry(id=number))
            for number in reversed(ids):
                other.record(entry(id=number, status=StageStatus.PROCESSING))
            await asyncio.gather(one.flush(), other.flush())
        assert (one.dropped, other.dropped) == (0, 0)
    entries, total = await PostgresLineageReader(database).list(LineageQuery(limit=1000))
    assert total == 400
    assert {each.status for each in entries} == {StageStatus.COMPLETED}


async def test_a_total_above_ten_thousand_is_an_estimate(database: Database) -> None:
    """Never less than what was counted."""
    async with PostgresLineageSink(database) as sink:
        for number in range(10_500):
            sink.record(entry(adapter_index=number))
        await sink.flush()
    page, total = await PostgresLineageReader(database).list(LineageQuery(limit=3, execution_id=EXECUTION))
    assert len(page) == 3
    assert total > 10_000
