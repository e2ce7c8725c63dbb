"""The one transaction that puts dead letters of an execution back in the queue."""

from __future__ import annotations

from uuid import UUID

from adapters.postgres.database import Connection, Database
from adapters.postgres.dead_letter_rows import EARLIEST_FIRST, IS_THERE, meant
from adapters.postgres.execution_places import lock_places, require_place
from adapters.postgres.executions import COLUMNS, execution_of
from application.ports.dead_letters import Redriven
from domain.crash import SUSPECT_FROM
from domain.dead_letter import DeadLetterFilter
from domain.errors import Unavailable
from domain.execution import Execution, ExecutionNotFound, ExecutionStatus

MOST_TRIES = 10

_STATUS = "SELECT status FROM pipeline_execution WHERE id = %s"

_HOLD_DEAD = f"""
    WITH found AS (
        SELECT id FROM message WHERE {{meant}} {EARLIEST_FIRST} LIMIT %(limit)s
    )
    SELECT id FROM message WHERE id = ANY (ARRAY(SELECT id FROM found)) AND {IS_THERE}
    ORDER BY id FOR UPDATE
"""  # noqa: S608 (only our own constants are joined)

# What processes died with keeps running alone, and gets its chances there anew.
_REQUEUE_DEAD = f"""
    UPDATE message SET state = 'queued', retries = 0, crashes = least(crashes, {SUSPECT_FROM}), not_before = NULL,
        claim_token = NULL, claimed_by = NULL, settled_at = NULL
    WHERE id = ANY (%s)
"""  # noqa: S608

_REQUEUE_CANCELLED = """
    UPDATE message SET state = 'queued', not_before = NULL, claim_token = NULL, claimed_by = NULL, settled_at = NULL
    WHERE execution_id = %s AND state = 'cancelled'
"""

_LOCK_EXECUTION = f"SELECT {COLUMNS} FROM pipeline_execution WHERE id = %s FOR UPDATE"  # noqa: S608

_WRITE_EXECUTION = """
    UPDATE pipeline_execution SET status = %(status)s, generation = %(generation)s,
        completed_at = CASE WHEN %(is_reopened)s THEN NULL ELSE completed_at END,
        error_info = CASE WHEN %(is_reopened)s THEN NULL ELSE error_info END,
        outstanding = outstanding + %(dead)s + %(cancelled)s, dead = dead - %(dead)s,
        cancelled = cancelled - %(cancelled)s
    WHERE id = %(id)s
"""


class _Moved(Exception):
    """Between the first look at the execution and its lock it failed, or more of it was settled as cancelled."""


async def redrive(
    database: Database, execution_id: UUID, wanted: DeadLetterFilter, *, limit: int, places: int | None
) -> Redriven:
    """See the port; raises Unavailable when the execution changes under every try."""
    for _ in range(MOST_TRIES):
        try:
            async with database.transaction() as connection:
                return await _redrive(connection, execution_id, wanted, limit, places)
        except _Moved:
            continue
    raise Unavailable(
        f"execution {execution_id} changed during each of {MOST_TRIES} tries to redrive it; try again"
    )


async def _redrive(
    connection: Connection, execution_id: UUID, wanted: DeadLetterFilter, limit: int, places: int | None
) -> Redriven:
    expected = await _status(connection, execution_id)
    dead = await _hold_dead(connection, execution_id, wanted, limit)
    cancelled = 0
    if dead and expected is ExecutionStatus.FAILED:
        cancelled = (await connection.execute(_REQUEUE_CANCELLED, (execution_id,))).rowcount
    # The execution's row is locked after all rows of messages, and what it says now is what counts.
    execution = await _locked(connection, execution_id)
    reopened = execution.reopened()
    if not dead:
        return Redriven(messages=0, execution=execution)
    if cancelled != (execution.counts.cancelled if execution.status is ExecutionStatus.FAILED else 0):
        raise _Moved
    if execution.status.is_terminal:
        await lock_places(connection)
        await require_place(connection, places)
    await connection.execute(_REQUEUE_DEAD, (dead,))
    await _write(connection, execution, reopened, dead=len(dead), cancelled=cancelled)
    return Redriven(
        messages=len(dead),
        execution=await _locked(connection, execution_id),
        reopened_from=execution.status if execution.status.is_terminal else None,
    )


async def _status(connection: Connection, execution_id: UUID) -> ExecutionStatus:
    row = await (await connection.execute(_STATUS, (execution_id,))).fetchone()
    if row is None:
        raise ExecutionNotFound(f"there is no execution {execution_id}")
    return ExecutionStatus(row[0])


async def _hold_dead(
    connection: Connection, execution_id: UUID, wanted: DeadLetterFilter, limit: int
) -> list[UUID]:
    condition, values = meant(wanted)
    query = _HOLD_DEAD.format(meant=f"{condition} AND execution_id = %(of)s")
    found = await connection.execute(query.encode(), values | {"of": execution_id, "limit": limit})
    return [message_id for (message_id,) in await found.fetchall()]


async def _locked(connection: Connection, execution_id: UUID) -> Execution:
    row = await (await connection.execute(_LOCK_EXECUTION, (execution_id,))).fetchone()
    if row is None:
        raise ExecutionNotFound(f"there is no execution {execution_id}")
    return execution_of(row)


async def _write(
    connection: Connection, before: Execution, reopened: Execution, *, dead: int, cancelled: int
) -> None:
    values = {
        "id": reopened.id,
        "status": reopened.status.value,
        "generation": reopened.generation,
        "is_reopened": before.status.is_terminal,
        "dead": dead,
        "cancelled": cancelled,
    }
    await connection.execute(_WRITE_EXECUTION, values)
