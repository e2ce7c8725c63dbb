"""What every ``Retention`` does."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta
from uuid import uuid4

import pytest

from adapters.memory.chat_threads import ChatStore, MemoryChatThreads
from adapters.memory.dead_letters import MemoryDeadLetters
from adapters.memory.ledger import MemoryLedger
from adapters.memory.lineage import MemoryLineage
from adapters.memory.retention import MemoryRetention
from adapters.postgres.chat_threads import PostgresChatThreads
from adapters.postgres.dead_letters import PostgresDeadLetters
from adapters.postgres.execution_ledger import PostgresExecutionLedger
from adapters.postgres.ledger import PostgresLedger
from adapters.postgres.lineage_reader import PostgresLineageReader
from adapters.postgres.lineage_sink import PostgresLineageSink
from adapters.postgres.retention import PostgresRetention
from application.ports.chat_threads import ChatThreads
from application.ports.dead_letters import DeadLetters
from application.ports.lineage import LineageQuery, LineageReader, LineageSink
from application.ports.retention import Retention
from domain.chat.thread import Thread
from domain.dead_letter import DeadLetterFilter
from domain.execution import Execution, ExecutionNotFound, ExecutionStatus
from domain.message import Outcome
from tests.contracts.ledgers import NOW, Ledgers, children
from tests.contracts.lineages import entry
from tests.databases import SERVERS, fresh_database

SOON = NOW + timedelta(seconds=1)


@dataclass(frozen=True, slots=True)
class Given:
    """Retention, and what it is of."""

    retention: Retention
    ledgers: Ledgers
    sink: LineageSink
    reader: LineageReader
    threads: ChatThreads
    letters: DeadLetters

    async def ended(self, outcome: Outcome = Outcome.DONE) -> Execution:
        """An execution of three messages that ended at the moment NOW."""
        execution = await self.ledgers.started()
        init = await self.ledgers.claimed_init(execution)
        born = children(init, "a", "b")
        await self.ledgers.settled(init, children=born)
        for claim in await self.ledgers.claimed(*(one.id for one in born)):
            await self.ledgers.settled(claim, outcome)
        return execution

    async def forgotten(self, **fields: object) -> list[int]:
        """What each batch forgot, until nothing was left."""
        values = {"before": SOON, "limit": 10, **fields}
        counts = []
        while count := await self.retention.forget_executions(**values):  # type: ignore[arg-type]
            counts.append(count)
        return counts

    async def lineage(self) -> int:
        """How many entries there are."""
        return (await self.reader.list(LineageQuery(limit=100)))[1]


@pytest.fixture(params=["memory", *SERVERS])
async def given(request: pytest.FixtureRequest) -> AsyncIterator[Given]:
    """Each implementation there is."""
    if request.param == "memory":
        ledger, lineage = MemoryLedger(), MemoryLineage()
        store = ChatStore()
        retention = MemoryRetention(ledger, lineage, store)
        yield Given(
            retention,
            Ledgers(ledger, ledger),
            lineage,
            lineage,
            MemoryChatThreads(store),
            MemoryDeadLetters(ledger),
        )
        return
    async with (
        fresh_database(request.getfixturevalue("postgres_url")) as database,
        PostgresLineageSink(database) as sink,
    ):
        ledgers = Ledgers(PostgresLedger(database), PostgresExecutionLedger(database))
        yield Given(
            PostgresRetention(database),
            ledgers,
            sink,
            PostgresLineageReader(database),
            PostgresChatThreads(database),
            PostgresDeadLetters(database),
        )


async def test_what_ended_long_ago_is_forgotten_with_its_messages(given: Given) -> None:
    """In batches, dead letters too, and nothing twice."""
    old, dead = await given.ended(), await given.ended(Outcome.DEAD)
    assert await given.retention.forget_executions(before=NOW, limit=10) == 0
    assert await given.forgotten(limit=4) == [2, 4, 2]
    assert (await given.ledgers.seen(old.id)).counts.done == 0  # started anew, under an id that is free again
    assert not [one for one in await given.ledgers.executions.unfinished() if one.id == dead.id]


async def test_what_still_goes_on_or_has_something_outstanding_is_kept(given: Given) -> None:
    """However old it is."""
    going_on, cancelled = await given.ledgers.started(), await given.ledgers.started()
    claim = await given.ledgers.claimed_init(going_on)
    await given.ledgers.settled(claim, children=children(claim, "a"))
    await given.ledgers.executions.conclude(cancelled.id, ExecutionStatus.CANCELLED, now=NOW)
    assert await given.forgotten(before=NOW + timedelta(days=9999)) == []
    assert await given.ledgers.claimed(children(claim, "a")[0].id)
    await given.ledgers.executions.discard_queued(cancelled.id, limit=10, now=NOW)
    assert sum(await given.forgotten()) == 2


async def test_nothing_is_half_forgotten(given: Given) -> None:
    """Who redrives while a run is being forgotten, or after that broke off, is told that it is gone."""
    execution = await given.ledgers.started()
    init = await given.ledgers.claimed_init(execution)
    await given.ledgers.messages.extend(init.message.id, init.token, children(init, *"abcd"), now=NOW)
    await given.ledgers.settled(init, Outcome.DEAD)
    await given.ledgers.executions.discard_queued(execution.id, limit=9, now=NOW)
    assert await given.retention.forget_executions(before=SOON, limit=1)
    with pytest.raises(ExecutionNotFound):
        async with asyncio.timeout(5):
            await given.letters.redrive(execution.id, DeadLetterFilter(), limit=9, places=None)
    await given.forgotten(limit=1)
    assert await given.forgotten() == []


async def test_lineage_is_kept_as_long_as_its_execution(given: Given) -> None:
    """Or it would look like a gap that can be repaired."""
    kept = await given.ended()
    for execution_id in (kept.id, uuid4()):
        for _ in range(3):
            given.sink.record(entry(execution_id=execution_id, started_at=NOW))
    await given.sink.flush()
    assert await given.retention.forget_lineage(before=NOW, limit=10) == 0
    assert await given.retention.forget_lineage(before=SOON, limit=2) == 2
    assert await given.retention.forget_lineage(before=SOON, limit=10) == 1
    assert await given.retention.forget_lineage(before=SOON, limit=10) == 0
    assert await given.lineage() == 3
    await given.forgotten()
    assert await given.retention.forget_lineage(before=SOON, limit=10) == 3


async def test_threads_that_rested_are_forgotten(given: Given) -> None:
    """In batches, whoever they are of."""
    moments = (NOW, NOW, NOW, SOON)
    for number, moment in enumerate(moments):
        thread = Thread(id=uuid4(), owner=f"owner {number % 2}", created_at=NOW, updated_at=moment)
        await given.threads.add(thread)
    assert await given.retention.forget_threads(before=NOW, limit=10) == 0
    assert await given.retention.forget_threads(before=SOON, limit=2) == 2
    assert await given.retention.forget_threads(before=SOON, limit=10) == 1
    assert await given.retention.forget_threads(before=SOON, limit=10) == 0
    assert (await given.threads.page(owner="owner 1", limit=9))[1] == 1
