"""Dead letters to test, and messages that die."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID, uuid4

import pytest

from adapters.memory.dead_letters import MemoryDeadLetters
from adapters.memory.ledger import MemoryLedger
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
from tests.databases import fresh_database

ALL = DeadLetterFilter()
REASON: Mapping[str, str] = {"code": "invalid", "message": "unreadable", "type": "Invalid"}


@dataclass(frozen=True, slots=True)
class Mailroom:
    """Dead letters and the ledger whose they are."""

    ledgers: Ledgers
    letters: DeadLetters

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


@pytest.fixture(params=["memory", pytest.param("postgres", marks=pytest.mark.slow)])
async def room(request: pytest.FixtureRequest) -> AsyncIterator[Mailroom]:
    """The dead letters of each ledger there is."""
    if request.param == "memory":
        ledger = MemoryLedger()
        yield Mailroom(Ledgers(ledger, ledger), MemoryDeadLetters(ledger))
        return
    async with fresh_database(request.getfixturevalue("postgres_url")) as database:
        ledgers = Ledgers(PostgresLedger(database), PostgresExecutionLedger(database))
        yield Mailroom(ledgers, PostgresDeadLetters(database))
