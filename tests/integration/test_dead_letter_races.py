"""What may happen between two statements of a redrive in PostgreSQL."""

from __future__ import annotations

import asyncio
from uuid import UUID, uuid4

import pytest

from adapters.postgres.database import Connection, Database
from domain.errors import Unavailable
from domain.execution import ExecutionStatus
from domain.message import Outcome
from tests.contracts.dead_letters import REASON, postgres_room
from tests.contracts.ledgers import NOW, OWNER, children

pytestmark = pytest.mark.slow


async def waits_for_lock(database: Database) -> None:
    """Until a statement waits for a row that another transaction has locked."""
    query = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
    async with asyncio.timeout(5), database.connection() as connection:
        while True:
            row = await (await connection.execute(query)).fetchone()
            if row and row[0]:
                return
            await asyncio.sleep(0.01)


async def settle_as_cancelled(connection: Connection, execution_id: UUID, message_id: UUID) -> None:
    """What the settlement of a message does when its execution has failed meanwhile."""
    await connection.execute(
        "UPDATE message SET state = 'cancelled', settled_at = now() WHERE id = %s", (message_id,)
    )
    await connection.execute(
        "UPDATE pipeline_execution SET outstanding = outstanding - 1, cancelled = cancelled + 1 WHERE id = %s",
        (execution_id,),
    )


async def test_what_is_cancelled_while_a_redrive_waits_comes_back_too(database: Database) -> None:
    """The redrive had looked for cancelled messages before; it looks again."""
    room = postgres_room(database)
    execution = await room.ledgers.started()
    claim = await room.ledgers.claimed_init(execution)
    born = children(claim, "a", "b")
    await room.ledgers.messages.extend(claim.message.id, claim.token, born, now=NOW)
    await room.claim(born[0].id)
    await room.ledgers.settled(claim, Outcome.DEAD, error=REASON)
    await room.ledgers.executions.discard_queued(execution.id, limit=10, now=NOW)
    async with database.transaction() as connection:
        await connection.execute("SELECT FROM pipeline_execution WHERE id = %s FOR UPDATE", (execution.id,))
        redriving = asyncio.create_task(room.redrive(execution))
        await waits_for_lock(database)
        await settle_as_cancelled(connection, execution.id, born[0].id)
    redriven = await asyncio.wait_for(redriving, 5)
    counts = redriven.execution.counts
    assert (counts.outstanding, counts.cancelled, counts.dead) == (3, 0, 0)
    assert await room.states(execution.id) == {"queued": 3}


async def test_of_two_who_reopen_at_once_the_last_place_goes_to_one(database: Database) -> None:
    """The other one's execution stays as it was."""
    room = postgres_room(database)
    runs = [(await room.dead("a"))[0] for _ in range(4)]
    results = await asyncio.gather(*(room.redrive(run, places=2) for run in runs), return_exceptions=True)
    assert sum(isinstance(result, Exception) for result in results) == 2
    seen = [await room.ledgers.seen(run.id) for run in runs]
    assert (
        sorted(one.status for one in seen) == [ExecutionStatus.COMPLETED] * 2 + [ExecutionStatus.RUNNING] * 2
    )
    assert sorted(one.counts.dead for one in seen) == [0, 0, 1, 1]


async def test_discarding_behind_a_run_waits_for_the_redrive_and_leaves_its_messages_alone(
    database: Database,
) -> None:
    """They were queued when it looked, and are not left over any more when it acts."""
    room = postgres_room(database)
    execution = await room.ledgers.started()
    claim = await room.ledgers.claimed_init(execution)
    await room.ledgers.messages.extend(claim.message.id, claim.token, children(claim, "a", "b"), now=NOW)
    await room.ledgers.settled(claim, Outcome.DEAD, error=REASON)
    async with database.transaction() as connection:
        await connection.execute("SELECT FROM pipeline_execution WHERE id = %s FOR UPDATE", (execution.id,))
        discarding = asyncio.create_task(
            room.ledgers.executions.discard_queued(execution.id, limit=10, now=NOW)
        )
        await waits_for_lock(database)
        await connection.execute(
            "UPDATE pipeline_execution SET status = 'running' WHERE id = %s", (execution.id,)
        )
    assert await asyncio.wait_for(discarding, 5) == 0
    assert await room.states(execution.id) == {"queued": 2, "dead": 1}


async def test_a_sweep_cancels_nothing_of_an_execution_that_a_redrive_is_reopening(
    database: Database,
) -> None:
    """It waits for the redrive, and then gives back what the dead had claimed of it."""
    room = postgres_room(database)
    execution = await room.ledgers.started()
    claim = await room.ledgers.claimed_init(execution)
    born = children(claim, "a", "b")
    await room.ledgers.settled(claim, children=born)
    await room.ledgers.claimed(born[0].id, owner=uuid4())
    await room.ledgers.executions.conclude(execution.id, ExecutionStatus.FAILED, now=NOW)
    async with database.transaction() as connection:
        await connection.execute(
            "UPDATE pipeline_execution SET status = 'running', generation = 2 WHERE id = %s", (execution.id,)
        )
        sweeping = asyncio.create_task(room.ledgers.executions.sweep(live_owners=[OWNER], now=NOW))
        await waits_for_lock(database)
    (recovered,) = await asyncio.wait_for(sweeping, 5)
    assert recovered.messages == 1
    assert await room.states(execution.id) == {"done": 1, "queued": 2}


async def test_a_redrive_that_finds_something_else_each_time_gives_up(database: Database) -> None:
    """And says so, with nothing changed; here the counter of a row that somebody has mended by hand is wrong."""
    room = postgres_room(database)
    execution = await room.ledgers.started()
    await room.ledgers.settled(await room.ledgers.claimed_init(execution), Outcome.DEAD, error=REASON)
    async with database.transaction() as connection:
        await connection.execute("UPDATE pipeline_execution SET cancelled = 5 WHERE id = %s", (execution.id,))
    with pytest.raises(Unavailable, match="try again"):
        await asyncio.wait_for(room.redrive(execution), 10)
    assert await room.states(execution.id) == {"dead": 1}
