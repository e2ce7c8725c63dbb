"""The peer of the engine: three asyncio queues, and one row per message and stage in the same PostgreSQL.

It keeps nothing but rows: no claims, no retries, no lineage, and a crash loses what was on its way.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from contextlib import AsyncExitStack
from typing import TypeAlias
from uuid import UUID, uuid4

import msgspec
import psycopg

from benchmarks.messages import payload
from benchmarks.outcome import NotMeasurable
from benchmarks.stack import Cost, PostgresProcesses
from domain.json import JsonObject

Item: TypeAlias = tuple[UUID, JsonObject]
Row: TypeAlias = tuple[UUID, str]

STAGES = 3
BATCH = 1000
"""Rows to an INSERT: of 250, 500, 1,000 and 2,000 the quickest, if only just."""
_QUEUE = 4 * BATCH
_ROWS = 2 * BATCH

_TABLE = """
    CREATE TABLE IF NOT EXISTS bare_pipeline (
        message_id uuid NOT NULL,
        stage integer NOT NULL,
        payload jsonb NOT NULL,
        written_at timestamptz NOT NULL DEFAULT now(),
        PRIMARY KEY (message_id, stage)
    )
"""
_COUNT = "SELECT count(*) FROM bare_pipeline"
_INSERT = """
    INSERT INTO bare_pipeline (message_id, stage, payload)
    SELECT id, %s, payload FROM unnest(%s::uuid[], %s::jsonb[]) AS r (id, payload)
"""


class Stage:
    """Takes messages from a queue, notes a row for each and passes them on; writes the rows in batches of its own."""

    def __init__(self, number: int, onward: asyncio.Queue[Item | None] | None) -> None:
        self.number = number
        self.onward = onward
        self.inbound: asyncio.Queue[Item | None] = asyncio.Queue(_QUEUE)
        self._rows: asyncio.Queue[Row | None] = asyncio.Queue(_ROWS)

    async def run(self, connection: psycopg.AsyncConnection, workers: int) -> None:
        """Work until the end is seen, which is passed on."""
        writer = asyncio.create_task(self._write(connection))
        await asyncio.gather(*(self._work() for _ in range(workers)))
        await self._rows.put(None)
        await writer
        if self.onward is not None:
            await self.onward.put(None)

    async def _work(self) -> None:
        while (item := await self.inbound.get()) is not None:
            message_id, message = item
            await self._rows.put((message_id, msgspec.json.encode(message).decode()))
            if self.onward is not None:
                await self.onward.put((message_id, message))
        # The next worker is to see the end too.
        await self.inbound.put(None)

    async def _write(self, connection: psycopg.AsyncConnection) -> None:
        while rows := await self._batch():
            ids, payloads = zip(*rows, strict=True)
            await connection.execute(_INSERT, (self.number, list(ids), list(payloads)), prepare=True)

    async def _batch(self) -> Sequence[Row]:
        rows: list[Row] = []
        while len(rows) < BATCH and (row := await self._rows.get()) is not None:
            rows.append(row)
        if len(rows) < BATCH:
            self._rows.put_nowait(None)
        return rows


async def run(postgres: PostgresProcesses, messages: int, *, workers: int) -> Cost:
    """Send so many messages through all stages and tell what that cost; raises NotMeasurable if a row is missing."""
    async with AsyncExitStack() as stack:
        # Closed only when the cost is known: the processor time of a PostgreSQL process that has ended shows late.
        connections = [await stack.enter_async_context(await _connected(postgres)) for _ in range(STAGES)]
        # As the ledger does, the table keeps what earlier rounds wrote.
        await connections[0].execute(_TABLE)
        rows = await _count(connections[0])
        before, own, started = postgres.cpu(), time.process_time(), time.perf_counter()
        await _through_stages(connections, messages, workers)
        cost = Cost(
            seconds=time.perf_counter() - started,
            cpu=time.process_time() - own,
            postgres_cpu=postgres.cpu() - before,
        )
        written = await _count(connections[0]) - rows
    if written != STAGES * messages:
        raise NotMeasurable(f"the bare pipeline wrote {written} rows for {messages} messages")
    return cost


async def _count(connection: psycopg.AsyncConnection) -> int:
    row = await (await connection.execute(_COUNT)).fetchone()
    assert row is not None
    return int(row[0])


async def _connected(postgres: PostgresProcesses) -> psycopg.AsyncConnection:
    return await psycopg.AsyncConnection.connect(postgres.url(), autocommit=True)


async def _through_stages(
    connections: Sequence[psycopg.AsyncConnection], messages: int, workers: int
) -> None:
    third = Stage(3, None)
    second = Stage(2, third.inbound)
    first = Stage(1, second.inbound)
    running = [
        asyncio.create_task(stage.run(connection, workers))
        for stage, connection in zip((first, second, third), connections, strict=True)
    ]
    for number in range(messages):
        await first.inbound.put((uuid4(), payload(number)))
    await first.inbound.put(None)
    await asyncio.gather(*running)
