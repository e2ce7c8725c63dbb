"""Settles one execution after the other, each with an object, until it is killed: `settling_process.py DATABASE_URL`."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from adapters.postgres.database import Database
from adapters.postgres.execution_ledger import PostgresExecutionLedger
from adapters.postgres.ledger import PostgresLedger
from domain.message import Claim, Outcome, correlation_id
from domain.storage import StageObject, StoredObject
from tests.contracts.ledgers import NOW, Ledgers, settlement

GROUP = 5


def kept_by(claim: Claim) -> StageObject:
    """What an attempt says that it has kept."""
    message = claim.message
    return StageObject(
        stored=StoredObject(
            key=f"executions/{message.id}", size=1, content_type="text/plain", modified_at=NOW
        ),
        execution_id=message.execution_id,
        route_id=message.route_id,
        stage="text",
        message_id=message.id,
        adapter_name="reader",
        correlation_id=correlation_id(message.id, 0, claim.attempt),
    )


async def _main(database_url: str) -> None:
    async with Database(database_url) as database:
        ledgers = Ledgers(PostgresLedger(database), PostgresExecutionLedger(database))
        while True:
            executions = [await ledgers.started() for _ in range(GROUP)]
            claims = [await ledgers.claimed_init(one) for one in executions]
            settlements = [settlement(one, Outcome.DONE, objects=[kept_by(one)]) for one in claims]
            await ledgers.messages.settle(settlements, now=NOW)


if __name__ == "__main__":
    asyncio.run(_main(sys.argv[1]))
