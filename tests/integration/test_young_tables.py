"""What PostgreSQL plans while the ledger is small it keeps while it grows: no statement of the hot path may read all of it."""

from __future__ import annotations

import pytest

from adapters.postgres.database import Connection, Database
from adapters.postgres.execution_ledger import PostgresExecutionLedger
from adapters.postgres.ledger import PostgresLedger
from domain.execution import ExecutionStatus
from domain.message import Claim, Outcome
from tests.contracts.ledgers import LATER, NOW, Ledgers, children, settlement

pytestmark = pytest.mark.slow

PREPARED_FROM = 12
"""So often a statement is used before it is prepared, and planned anew before its plan is kept."""
READ = """
    SELECT coalesce(sum(seq_tup_read), 0) FROM pg_stat_user_tables WHERE relname IN ('message', 'pipeline_execution')
"""


READ_AT_ALL = READ.replace("seq_tup_read", "seq_tup_read + idx_tup_fetch")
ENDED = """
    INSERT INTO pipeline_execution (id, config_id, status, config_snapshot, started_at, completed_at)
    SELECT gen_random_uuid(), gen_random_uuid(), 'completed', '{}', now(), now() FROM generate_series(1, 3000)
"""


async def rows_read(connection: Connection, statement: str = READ) -> int:
    """How many rows of the ledger were read by reading all of it, or in any way."""
    await connection.execute("SELECT pg_stat_force_next_flush()")
    row = await (await connection.execute(statement.encode())).fetchone()
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


@pytest.mark.parametrize("is_analysed", [False, True])
async def test_what_is_unfinished_is_found_without_reading_what_has_ended(
    database: Database, *, is_analysed: bool
) -> None:
    """Every process asks for it all the time; it finds what has ended and left something as well."""
    async with Database(database.url, max_size=1) as alone:
        ledgers = Ledgers(PostgresLedger(alone), PostgresExecutionLedger(alone))
        running, cancelled = await ledgers.started(), await ledgers.started()
        await ledgers.executions.conclude(cancelled.id, ExecutionStatus.CANCELLED, now=NOW)
        for _ in range(PREPARED_FROM):
            await ledgers.executions.unfinished()
        async with alone.connection() as connection:
            await connection.execute(ENDED)
            if is_analysed:
                await connection.execute("ANALYZE pipeline_execution")
            before = await rows_read(connection, READ_AT_ALL)
        found = {one.id for one in await ledgers.executions.unfinished()}
        async with alone.connection() as connection:
            read = await rows_read(connection, READ_AT_ALL) - before
    assert found == {running.id, cancelled.id}
    assert read <= 10


async def test_the_counters_of_an_execution_change_on_its_page(database: Database) -> None:
    """No index looks at them: all of them would be written with every commit of a group."""
    async with Database(database.url, max_size=1) as alone:
        ledgers = Ledgers(PostgresLedger(alone), PostgresExecutionLedger(alone))
        first = await ledgers.claimed_init(await ledgers.started())
        for number in range(PREPARED_FROM):
            await ledgers.messages.extend(
                first.message.id, first.token, children(first, str(number)), now=NOW
            )
        async with alone.connection() as connection:
            await connection.execute("SELECT pg_stat_force_next_flush()")
            cursor = await connection.execute(
                "SELECT n_tup_upd, n_tup_hot_upd FROM pg_stat_user_tables WHERE relname = 'pipeline_execution'"
            )
            assert await cursor.fetchone() == (PREPARED_FROM, PREPARED_FROM)


@pytest.mark.parametrize("is_analysed", [False, True])
async def test_a_batch_of_what_is_left_over_reads_no_more_than_the_batch(
    database: Database, *, is_analysed: bool
) -> None:
    """However much is left; otherwise a large run would take the longer to be cancelled the more of it waits."""
    async with Database(database.url, max_size=1) as alone:
        ledgers = Ledgers(PostgresLedger(alone), PostgresExecutionLedger(alone))
        execution = await ledgers.started()
        first = await ledgers.claimed_init(execution)
        await ledgers.messages.extend(
            first.message.id, first.token, children(first, *map(str, range(4000))), now=NOW
        )
        await ledgers.executions.conclude(execution.id, ExecutionStatus.CANCELLED, now=NOW)
        async with alone.connection() as connection:
            if is_analysed:
                await connection.execute("ANALYZE message, pipeline_execution")
            before = await rows_read(connection, READ_AT_ALL)
        for _ in range(PREPARED_FROM):
            assert await ledgers.executions.discard_queued(execution.id, limit=100, now=NOW) == 100
        async with alone.connection() as connection:
            read = await rows_read(connection, READ_AT_ALL) - before
    assert read <= PREPARED_FROM * 500
