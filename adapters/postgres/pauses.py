"""Pauses in PostgreSQL."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from adapters.postgres.database import Connection, Database
from domain.execution import ExecutionNotFound, ExecutionStatus
from domain.pause import Pause, PauseNotAllowed, PauseScope

# The same lock that a settlement takes before it ends an execution, so that no pause comes to lie on one that ended.
_LOCK_EXECUTION = "SELECT status FROM pipeline_execution WHERE id = %s FOR UPDATE"

_PAUSE_EXECUTION = "UPDATE pipeline_execution SET paused_at = %s WHERE id = %s AND paused_at IS NULL"

_RESUME_EXECUTION = "UPDATE pipeline_execution SET paused_at = NULL WHERE id = %s AND paused_at IS NOT NULL"

_PAUSE_ROUTE = """
    INSERT INTO paused_route (route_id, execution_id, paused_at) VALUES (%s, %s, %s)
    ON CONFLICT DO NOTHING
"""

_RESUME_ROUTE = "DELETE FROM paused_route WHERE route_id = %s AND execution_id IS NOT DISTINCT FROM %s"

_IN_FORCE = """
    SELECT id, NULL::text AS route_id, paused_at FROM pipeline_execution
    WHERE paused_at IS NOT NULL AND status IN ('running', 'interrupted')
        AND (%(asked)s::uuid[] IS NULL OR id = ANY (%(asked)s))
    UNION ALL
    SELECT r.execution_id, r.route_id, r.paused_at
    FROM paused_route r LEFT JOIN pipeline_execution e ON e.id = r.execution_id
    WHERE r.execution_id IS NULL
        OR (e.status IN ('running', 'interrupted') AND (%(asked)s::uuid[] IS NULL OR r.execution_id = ANY (%(asked)s)))
    ORDER BY paused_at, id, route_id
"""


class PostgresPauses:
    """The ``Pauses`` port over the column ``paused_at`` of executions and the table ``paused_route``."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def pause(self, scope: PauseScope, *, now: datetime) -> bool:
        """See the port."""
        async with self._database.transaction() as connection:
            await _require_going_on(connection, scope)
            if scope.route_id is None:
                cursor = await connection.execute(_PAUSE_EXECUTION, (now, scope.execution_id))
            else:
                cursor = await connection.execute(_PAUSE_ROUTE, (scope.route_id, scope.execution_id, now))
        return cursor.rowcount > 0

    async def resume(self, scope: PauseScope) -> bool:
        """See the port."""
        async with self._database.transaction() as connection:
            await _require_going_on(connection, scope)
            if scope.route_id is None:
                cursor = await connection.execute(_RESUME_EXECUTION, (scope.execution_id,))
            else:
                cursor = await connection.execute(_RESUME_ROUTE, (scope.route_id, scope.execution_id))
        return cursor.rowcount > 0

    async def in_force(self, execution_ids: Sequence[UUID] | None = None) -> Sequence[Pause]:
        """See the port."""
        asked = None if execution_ids is None else list(execution_ids)
        async with self._database.connection() as connection:
            rows = await (await connection.execute(_IN_FORCE, {"asked": asked})).fetchall()
        return [
            Pause(scope=PauseScope(execution_id=row[0], route_id=row[1]), paused_at=row[2]) for row in rows
        ]


async def _require_going_on(connection: Connection, scope: PauseScope) -> None:
    if scope.execution_id is None:
        return
    row = await (await connection.execute(_LOCK_EXECUTION, (scope.execution_id,))).fetchone()
    if row is None:
        raise ExecutionNotFound
    status = ExecutionStatus(row[0])
    if status.is_terminal:
        raise PauseNotAllowed(f"the execution has ended: it is {status}")
