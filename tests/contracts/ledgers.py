"""Ledgers to test, and messages to put into them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest

from adapters.memory.ledger import MemoryLedger
from adapters.postgres.execution_ledger import PostgresExecutionLedger
from adapters.postgres.ledger import PostgresLedger
from application.ports.execution_ledger import ExecutionLedger
from application.ports.ledger import ClaimRequest, Ledger, Settled
from domain.execution import Execution
from domain.message import Claim, Message, Outcome, Settlement, child_id, init_message_id
from tests.databases import SERVERS, fresh_database

NOW = datetime(2026, 1, 1, tzinfo=UTC)
LATER = NOW + timedelta(seconds=30)
OWNER = uuid4()


@dataclass(frozen=True, slots=True)
class Ledgers:
    """Both sides of one ledger."""

    messages: Ledger
    executions: ExecutionLedger

    async def started(self, **fields: object) -> Execution:
        """A running execution with its init message queued for the route ``first``."""
        execution = new_execution(**fields)
        return await self.executions.start(execution, init_message(execution))

    async def claimed(
        self, *messages: UUID, now: datetime = NOW, owner: UUID = OWNER, alone: bool = False
    ) -> list[Claim]:
        """Claims on messages, each under a token of its own."""
        requests = [ClaimRequest(message_id=message, token=uuid4(), alone=alone) for message in messages]
        return list(await self.messages.claim(requests, owner=owner, now=now))

    async def claimed_init(self, execution: Execution) -> Claim:
        """The claim on an execution's init message."""
        (claim,) = await self.claimed(init_message_id(execution.id))
        return claim

    async def settled(self, claim: Claim, outcome: Outcome = Outcome.DONE, **fields: object) -> Settled:
        """What becomes of one settlement of a claim."""
        (settled,) = await self.messages.settle([settlement(claim, outcome, **fields)], now=NOW)
        return settled

    async def seen(self, execution_id: UUID) -> Execution:
        """The execution as it stands, by starting it again."""
        return await self.executions.start(new_execution(id=execution_id), None)


def new_execution(**fields: object) -> Execution:
    """An execution with an empty snapshot."""
    given = {"id": uuid4(), "config_id": uuid4(), "config_snapshot": {}, "started_at": NOW} | fields
    return Execution(**given)  # type: ignore[arg-type]


def init_message(execution: Execution, route: str = "first") -> Message:
    """The init message of an execution."""
    return Message(
        id=init_message_id(execution.id),
        execution_id=execution.id,
        route_id=route,
        payload={"hello": "world"},
    )


def children(claim: Claim, *names: str, route: str = "second") -> list[Message]:
    """A child per name, with the name as its emission key and payload."""
    parent = claim.message
    return [
        Message(
            id=child_id(parent.id, route, name),
            execution_id=parent.execution_id,
            route_id=route,
            payload={"name": name},
            parent_id=parent.id,
        )
        for name in names
    ]


def settlement(claim: Claim, outcome: Outcome = Outcome.DONE, **fields: object) -> Settlement:
    """A settlement under the claim's own token."""
    return Settlement(
        message_id=claim.message.id,
        execution_id=claim.message.execution_id,
        token=claim.token,
        outcome=outcome,
        **fields,  # type: ignore[arg-type]
    )


@pytest.fixture(params=["memory", *SERVERS])
async def ledgers(request: pytest.FixtureRequest) -> AsyncIterator[Ledgers]:
    """Each ledger there is."""
    if request.param == "memory":
        ledger = MemoryLedger()
        yield Ledgers(ledger, ledger)
        return
    async with fresh_database(request.getfixturevalue("postgres_url")) as database:
        yield Ledgers(PostgresLedger(database), PostgresExecutionLedger(database))
