"""The executions' side of the ledger in PostgreSQL."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from psycopg import errors

from adapters.postgres.database import Connection, Database
from adapters.postgres.executions import COLUMNS, execution_of, insert_execution
from adapters.postgres.ledger_settling import apply_deltas, naming_rejected_payloads
from adapters.postgres.messages import insert_messages, json_text, message_of
from application.ports.ledger import DeadMessage, Recovered
from domain.execution import (
    Execution,
    ExecutionNotFound,
    ExecutionStatus,
    StatusChangeNotAllowed,
    TagTaken,
    TooManyConcurrentExecutions,
)
from domain.json import JsonObject
from domain.message import Message

# Starts are serialised, so that two of them cannot both take the last place.
_START_LOCK = 0x73746172

_COUNT_RUNNING = "SELECT count(*) FROM pipeline_execution WHERE status = 'running'"

_SELECT = f"SELECT {COLUMNS} FROM pipeline_execution WHERE id = %s"  # noqa: S608 (our own constant)

_SELECT_UNFINISHED = f"""
    SELECT {COLUMNS} FROM pipeline_execution
    WHERE status IN ('running', 'interrupted') OR outstanding > 0 ORDER BY id
"""  # noqa: S608

_LOCK_STATUS = "SELECT status FROM pipeline_execution WHERE id = %s FOR UPDATE"

_CONCLUDE = """
    UPDATE pipeline_execution
    SET status = %(status)s, error_info = coalesce(%(error_info)s::jsonb, error_info),
        completed_at = CASE WHEN %(is_terminal)s THEN %(now)s ELSE NULL END
    WHERE id = %(id)s
"""

_DISCARD = """
    WITH leftover AS (
        SELECT id FROM message WHERE execution_id = %(execution_id)s AND state = 'queued'
        ORDER BY id LIMIT %(limit)s FOR UPDATE
    )
    UPDATE message m SET state = 'cancelled', settled_at = %(now)s FROM leftover WHERE m.id = leftover.id
"""

_SWEEP = """
    WITH orphan AS (
        SELECT m.id, e.status IN ('running', 'interrupted') AS goes_on
        FROM message m JOIN pipeline_execution e ON e.id = m.execution_id
        WHERE m.state = 'claimed' AND m.claimed_by <> ALL(%(live)s::uuid[])
        ORDER BY m.id FOR UPDATE OF m
    )
    UPDATE message m
    SET state = CASE WHEN orphan.goes_on THEN 'queued' ELSE 'cancelled' END, claim_token = NULL, claimed_by = NULL,
        settled_at = CASE WHEN orphan.goes_on THEN NULL ELSE %(now)s END
    FROM orphan WHERE m.id = orphan.id
    RETURNING m.execution_id, m.state
"""

_SELECT_DEAD = """
    SELECT id, execution_id, route_id, payload, metadata, parent_id, parent_correlation_id, error, attempt, settled_at
    FROM message WHERE execution_id = %s AND state = 'dead' ORDER BY settled_at, id LIMIT %s OFFSET %s
"""


class PostgresExecutionLedger:
    """The ``ExecutionLedger`` port over tables ``pipeline_execution`` and ``message``."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def start(
        self, execution: Execution, init: Message | None, *, limit: int | None = None
    ) -> Execution:
        """See the port."""
        with naming_rejected_payloads():
            async with self._database.transaction() as connection:
                await connection.execute("SELECT pg_advisory_xact_lock(%s)", (_START_LOCK,))
                row = await (await connection.execute(_SELECT, (execution.id,))).fetchone()
                if row is not None:
                    return execution_of(row)
                await _require_place(connection, limit)
                return await _insert(connection, execution, init)

    async def conclude(
        self,
        execution_id: UUID,
        status: ExecutionStatus,
        *,
        now: datetime,
        error_info: JsonObject | None = None,
    ) -> ExecutionStatus:
        """See the port."""
        async with self._database.transaction() as connection:
            row = await (await connection.execute(_LOCK_STATUS, (execution_id,))).fetchone()
            if row is None:
                raise ExecutionNotFound
            before = ExecutionStatus(row[0])
            if not before.may_become(status):
                raise StatusChangeNotAllowed(f"a {before} execution cannot become {status}")
            values = {
                "id": execution_id,
                "status": status.value,
                "is_terminal": status.is_terminal,
                "error_info": None if error_info is None else json_text(error_info),
                "now": now,
            }
            await connection.execute(_CONCLUDE, values)
        return before

    async def discard_queued(self, execution_id: UUID, *, limit: int, now: datetime) -> int:
        """See the port."""
        values = {"execution_id": execution_id, "limit": limit, "now": now}
        async with self._database.transaction() as connection:
            discarded = (await connection.execute(_DISCARD, values)).rowcount
            if discarded:
                delta = {"cancelled": discarded, "outstanding": -discarded}
                await apply_deltas(connection, {execution_id: delta}, {}, now)
        return discarded

    async def sweep(self, *, live_owners: Sequence[UUID], now: datetime) -> Sequence[Recovered]:
        """See the port."""
        async with self._database.transaction() as connection:
            rows = await (
                await connection.execute(_SWEEP, {"live": list(live_owners), "now": now})
            ).fetchall()
            cancelled = Counter(execution_id for execution_id, state in rows if state == "cancelled")
            if cancelled:
                deltas = {
                    one: {"cancelled": count, "outstanding": -count} for one, count in cancelled.items()
                }
                await apply_deltas(connection, deltas, {}, now)
        returned = Counter(execution_id for execution_id, state in rows if state == "queued")
        return [Recovered(execution_id=one, messages=count) for one, count in sorted(returned.items())]

    async def unfinished(self) -> Sequence[Execution]:
        """See the port."""
        async with self._database.connection() as connection:
            rows = await (await connection.execute(_SELECT_UNFINISHED)).fetchall()
        return [execution_of(row) for row in rows]

    async def dead(self, execution_id: UUID, *, limit: int, offset: int = 0) -> Sequence[DeadMessage]:
        """See the port."""
        async with self._database.connection() as connection:
            rows = await (await connection.execute(_SELECT_DEAD, (execution_id, limit, offset))).fetchall()
        return [
            DeadMessage(message=message_of(row[:7]), error=row[7] or {}, attempts=row[8], settled_at=row[9])
            for row in rows
        ]


async def _require_place(connection: Connection, limit: int | None) -> None:
    if limit is None:
        return
    row = await (await connection.execute(_COUNT_RUNNING)).fetchone()
    if row is not None and row[0] >= limit:
        raise TooManyConcurrentExecutions(f"{row[0]} executions are running, and {limit} is the limit")


async def _insert(connection: Connection, execution: Execution, init: Message | None) -> Execution:
    try:
        stored = await insert_execution(connection, execution, outstanding=0 if init is None else 1)
    except errors.UniqueViolation as error:
        raise TagTaken(f"another execution already has the tag {execution.tag!r}") from error
    if init is not None:
        await insert_messages(connection, [init])
    return stored
