"""Dead letters to test, and messages that die."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID, uuid4

import pytest

from adapters.memory.dead_letters import MemoryDeadLetters
from adapters.memory.ledger import MemoryLedger
from adapters.postgres.database import Database
from adapters.postgres.dead_letters import PostgresDeadLetters
from adapters.postgres.execution_ledger import PostgresExecutionLedger
from adapters.postgres.ledger import PostgresLedger
from application.ports.dead_letters import DeadLetters, Redriven
from application.ports.ledger import ClaimRequest
from domain.dead_letter import DeadLetterFilter
from domain.execution import Execution
from domain.json import JsonObject
from domain.message import Claim, Outcome
from tests.contracts.ledgers import NOW, OWNER, Ledgers, children, settlement
from tests.databases import SERVERS, fresh_database

ALL = DeadLetterFilter()
REASON: Mapping[str, str] = {"code": "invalid", "message": "unreadable", "type": "Invalid"}


@dataclass(frozen=True, slots=True)
class Mailroom:
    """Dead letters and the ledger whose they are; ``states`` counts an execution's rows by their states."""

    ledgers: Ledgers
    letters: DeadLetters
    states: Callable[[UUID], Awaitable[Mapping[str, int]]]

    async def children(self, *names: str, **fields: object) -> tuple[Execution, dict[str, UUID]]:
        """A running execution whose init message is done and has left a queued child for each name."""
        execution = await self.ledgers.started(**fields)
        claim = await self.ledgers.claimed_init(execution)
        born = children(claim, *names)
        await self.ledgers.settled(claim, children=born)
        return execution, {name: child.id for name, child in zip(names, born, strict=True)}

    async def claim(self, message_id: UUID, *, now: datetime = NOW) -> Claim:
        """The claim on a message."""
        (claim,) = await self.ledgers.messages.claim(
            [ClaimRequest(message_id=message_id, token=uuid4())], owner=OWNER, now=now
        )
        return claim

    async def settle(
        self,
        message_id: UUID,
        outcome: Outcome = Outcome.DEAD,
        *,
        error: JsonObject | None = REASON,
        now: datetime = NOW,
    ) -> Claim:
        """Claim a message and settle it."""
        claim = await self.claim(message_id, now=now)
        given = error if outcome in {Outcome.DEAD, Outcome.RETRY} else None
        await self.ledgers.messages.settle([settlement(claim, outcome, error=given)], now=now)
        return claim

    async def dead(self, *names: str, **fields: object) -> tuple[Execution, dict[str, UUID]]:
        """An execution with a dead child for each name, a second apart, which has completed."""
        execution, ids = await self.children(*names, **fields)
        for number, message_id in enumerate(ids.values()):
            await self.settle(message_id, now=NOW + timedelta(seconds=number))
        return await self.ledgers.seen(execution.id), ids

    async def redrive(
        self,
        execution: Execution,
        wanted: DeadLetterFilter = ALL,
        *,
        limit: int = 1000,
        places: int | None = None,
    ) -> Redriven:
        """Redrive what is meant of an execution."""
        return await self.letters.redrive(execution.id, wanted, limit=limit, places=places)

    async def listed(self, wanted: DeadLetterFilter = ALL) -> list[UUID]:
        """The ids of the dead letters meant."""
        page = await self.letters.list(wanted, limit=1000)
        return [letter.message.id for letter in page.letters]


def memory_room() -> Mailroom:
    """A mailroom in memory."""
    ledger = MemoryLedger()

    async def states(execution_id: UUID) -> Mapping[str, int]:
        rows = ledger._rows.values()
        return Counter(str(row.state) for row in rows if row.message.execution_id == execution_id)

    return Mailroom(Ledgers(ledger, ledger), MemoryDeadLetters(ledger), states)


def postgres_room(database: Database) -> Mailroom:
    """A mailroom in PostgreSQL."""

    async def states(execution_id: UUID) -> Mapping[str, int]:
        query = "SELECT state, count(*) FROM message WHERE execution_id = %s GROUP BY state"
        async with database.connection() as connection:
            return dict(await (await connection.execute(query, (execution_id,))).fetchall())

    ledgers = Ledgers(PostgresLedger(database), PostgresExecutionLedger(database))
    return Mailroom(ledgers, PostgresDeadLetters(database), states)


@pytest.fixture(params=["memory", *SERVERS])
async def room(request: pytest.FixtureRequest) -> AsyncIterator[Mailroom]:
    """The dead letters of each ledger there is."""
    if request.param == "memory":
        yield memory_room()
        return
    async with fresh_database(request.getfixturevalue("postgres_url")) as database:
        yield postgres_room(database)
