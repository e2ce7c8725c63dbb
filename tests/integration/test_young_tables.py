"""What PostgreSQL plans while the ledger is small it keeps while it grows: no statement of the hot path may read all of it."""

from __future__ import annotations

import pytest

from adapters.postgres.database import Connection, Database
from adapters.postgres.execution_ledger import PostgresExecutionLedger
from adapters.postgres.ledger import PostgresLedger
from domain.message import Claim, Outcome
from tests.contracts.ledgers import LATER, NOW, Ledgers, children, settlement

pytestmark = pytest.mark.slow

PREPARED_FROM = 12
"""So often a statement is used before it is prepared, and planned anew before its plan is kept."""
READ = """
    SELECT coalesce(sum(seq_tup_read), 0) FROM pg_stat_user_tables WHERE relname IN ('message', 'pipeline_execution')
"""


async def rows_read(connection: Connection) -> int:
    """How many rows of the ledger were read by reading all of it."""
    await connection.execute("SELECT pg_stat_force_next_flush()")
    row = await (await connection.execute(READ)).fetchone()
    return int(row[0]) if row else 0


@pytest.mark.parametrize("messages", [0, 10, 60, 300])
async def test_a_ledger_that_was_small_is_not_read_from_its_beginning_to_its_end(
    database: Database, messages: int
) -> None:
    """Whether it was analysed when it was small, or never."""
    # One connection, because each has plans and figures of its own.
    async with Database(database.url, max_size=1) as alone:
        ledgers = Ledgers(PostgresLedger(alone), PostgresExecutionLedger(alone))
        execution = await ledgers.started()
        first = await ledgers.claimed_init(execution)
        if messages:
            earlier = children(first, *map(str, range(messages)), route="earlier")
            await ledgers.messages.extend(first.message.id, first.token, earlier, now=NOW)
        async with alone.connection() as connection:
            if messages:
                await connection.execute("ANALYZE message, pipeline_execution")
            before = await rows_read(connection)
        for number in range(PREPARED_FROM):
            await _use(ledgers, first, number)
        async with alone.connection() as connection:
            assert await rows_read(connection) == before


async def _use(ledgers: Ledgers, first: Claim, number: int) -> None:
    """Every statement of the hot path, with as many rows as a busy moment has."""
    execution_id = first.message.execution_id
    born = children(first, *(f"{number} {one}" for one in range(50)))
    await ledgers.messages.extend(first.message.id, first.token, born, now=NOW)
    waiting = await ledgers.messages.waiting(execution_id, "second", limit=60, now=NOW)
    claims = await ledgers.claimed(*waiting)
    assert len(claims) == 50
    outcomes = [Outcome.RETRY, *[Outcome.DONE] * 48, Outcome.SKIPPED]
    settlements = [
        settlement(claim, outcome, not_before=LATER if outcome is Outcome.RETRY else None)
        for claim, outcome in zip(claims, outcomes, strict=True)
    ]
    await ledgers.messages.settle(settlements, now=NOW)
    assert await ledgers.messages.next_due(execution_id, "second", after=NOW) == LATER
