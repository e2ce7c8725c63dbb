"""The executions' side of the ledger in PostgreSQL."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from uuid import UUID

from psycopg import errors

from adapters.postgres import sweeping
from adapters.postgres.database import SHORT_SECONDS, Connection, Database
from adapters.postgres.execution_places import lock_places, require_place
from adapters.postgres.executions import COLUMNS, execution_of, insert_execution
from adapters.postgres.ledger_settling import apply_deltas, naming_rejected_payloads
from adapters.postgres.messages import insert_messages, json_text
from adapters.postgres.settlements import by_index
from application.ports.execution_ledger import Recovered
from domain.crash import Suspect
from domain.execution import (
    Execution,
    ExecutionNotFound,
    ExecutionStatus,
    StatusChangeNotAllowed,
    TagTaken,
)
from domain.json import JsonObject
from domain.message import Message, MessageState

_SELECT = f"SELECT {COLUMNS} FROM pipeline_execution WHERE id = %s"  # noqa: S608 (our own constant)

_SELECT_UNFINISHED = f"""
    SELECT {COLUMNS} FROM pipeline_execution
    WHERE is_unfinished ORDER BY id
"""  # noqa: S608

_LOCK_STATUS = "SELECT status FROM pipeline_execution WHERE id = %s FOR UPDATE"

_CONCLUDE = """
    UPDATE pipeline_execution
    SET status = %(status)s, error_info = coalesce(%(error_info)s::jsonb, error_info),
        completed_at = CASE WHEN %(is_terminal)s THEN %(now)s ELSE NULL END
    WHERE id = %(id)s
"""

# Taken as the index has them and locked by id, as everywhere. Their state is told as it is under their locks.
_HOLD_LEFTOVER = """
    WITH leftover AS MATERIALIZED (
        SELECT id FROM message WHERE execution_id = %s AND state = 'queued' ORDER BY route_id, position LIMIT %s
    )
    SELECT m.id, m.state FROM (SELECT id FROM leftover ORDER BY id) AS l
    CROSS JOIN LATERAL (SELECT id, state FROM message WHERE message.id = l.id FOR UPDATE) AS m
"""

_DISCARD = "UPDATE message SET state = 'cancelled', settled_at = %s WHERE id = ANY (%s)"


class PostgresExecutionLedger:
    """The ``ExecutionLedger`` port over tables ``pipeline_execution`` and ``message``."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def start(
        self, execution: Execution, init: Message | None, *, limit: int | None = None
    ) -> Execution:
        """See the port."""
        with naming_rejected_payloads():
            async with self._database.transaction(within=SHORT_SECONDS) as connection:
                await lock_places(connection)
                row = await (await connection.execute(_SELECT, (execution.id,))).fetchone()
                if row is not None:
                    return execution_of(row)
                await require_place(connection, limit)
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
        async with self._database.transaction(within=SHORT_SECONDS) as connection:
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
        while (discarded := await self._discard(execution_id, limit, now)) is None:
            pass  # others settled those that were found here: there may be more behind them
        return discarded

    async def _discard(self, execution_id: UUID, limit: int, now: datetime) -> int | None:
        """How many were discarded; None when some were found and none of them was left."""
        async with by_index(self._database) as connection:
            rows = await (await connection.execute(_HOLD_LEFTOVER, (execution_id, limit))).fetchall()
            left = [message_id for message_id, state in rows if state == MessageState.QUEUED]
            # Looked at under its lock: a redrive may have reopened the execution, and then they are not left over.
            if not rows or not await _has_ended(connection, execution_id):
                return 0
            if not left:
                return None
            await connection.execute(_DISCARD, (now, left))
            delta = {"cancelled": len(left), "outstanding": -len(left)}
            await apply_deltas(connection, {execution_id: delta}, {}, now)
        return len(left)

    async def sweep(
        self,
        *,
        live_owners: Sequence[UUID],
        now: datetime,
        kept: Collection[UUID] | None = None,
        begun_by: datetime | None = None,
    ) -> Sequence[Recovered]:
        """See the port."""
        async with self._database.transaction() as connection:
            return await sweeping.sweep(
                connection, live_owners=live_owners, kept=kept, begun_by=begun_by or now, now=now
            )

    async def suspects(
        self, execution_ids: Sequence[UUID], *, limit: int, now: datetime
    ) -> Sequence[Suspect]:
        """See the port."""
        async with self._database.connection() as connection:
            return await sweeping.suspects(connection, execution_ids, limit=limit, now=now)

    async def unfinished(self) -> Sequence[Execution]:
        """See the port."""
        async with by_index(self._database) as connection:
            rows = await (await connection.execute(_SELECT_UNFINISHED)).fetchall()
        return [execution_of(row) for row in rows]


async def _has_ended(connection: Connection, execution_id: UUID) -> bool:
    row = await (await connection.execute(_LOCK_STATUS, (execution_id,))).fetchone()
    return row is None or ExecutionStatus(row[0]).is_terminal


async def _insert(connection: Connection, execution: Execution, init: Message | None) -> Execution:
    try:
        stored = await insert_execution(connection, execution, outstanding=0 if init is None else 1)
    except errors.UniqueViolation as error:
        raise TagTaken(f"another execution already has the tag {execution.tag!r}") from error
    if init is not None:
        await insert_messages(connection, [init])
    return stored
