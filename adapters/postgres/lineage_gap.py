"""Compares the table ``message`` with the table ``lineage_entry``."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from uuid import UUID

from adapters.postgres.database import Database
from adapters.postgres.lineage_rows import COLUMNS, to_json
from adapters.postgres.messages import message_of
from application.ports.lineage_gap import RouteGap, UnrecordedMessage
from domain.lineage import LineageEntry
from domain.message import MessageState

PAGE = 500

# Both sides are read once and hashed: neither table has an index on what they are compared by, for it would cost every
# message and every entry something, and this is asked seldom.
_COMPARED = """
    FROM message m LEFT JOIN (
        SELECT DISTINCT message_id, attempt FROM lineage_entry
        WHERE execution_id = %(execution_id)s AND status IN ('completed', 'failed', 'cancelled')
    ) e ON e.message_id = m.id AND e.attempt = m.attempt
"""
_SETTLED = "m.execution_id = %(execution_id)s AND m.state IN ('done', 'skipped', 'dead') AND m.attempt > 0"

_COUNT = f"""
    SELECT m.route_id, count(*), count(*) FILTER (WHERE e.message_id IS NULL) {_COMPARED}
    WHERE {_SETTLED} GROUP BY m.route_id ORDER BY m.route_id COLLATE "C"
"""

_MISSING = f"""
    SELECT m.id, m.execution_id, m.route_id, m.payload, m.metadata, m.parent_id, m.parent_correlation_id,
        m.state, m.attempt, m.settled_at, m.error, child.parent_correlation_id
    {_COMPARED}
    LEFT JOIN (
        SELECT DISTINCT ON (parent_id) parent_id, parent_correlation_id FROM message
        WHERE execution_id = %(execution_id)s AND parent_id IS NOT NULL ORDER BY parent_id
    ) child ON child.parent_id = m.id
    WHERE {_SETTLED} AND e.message_id IS NULL
"""  # noqa: S608 - constants

# While a run is young its tables have no statistics; for few rows, and for the first rows of a cursor, a plan looks best
# that reads one side again for each row of the other, which takes minutes.
_HASH_THEM = """
    SELECT set_config('enable_nestloop', 'off', true), set_config('cursor_tuple_fraction', '1', true)
"""

_FILL = f"""
    INSERT INTO lineage_entry ({COLUMNS})
    SELECT {COLUMNS} FROM json_populate_recordset(NULL::lineage_entry, %s::json)
    ON CONFLICT (id) DO NOTHING
"""  # noqa: S608 - constants


class PostgresLineageGap:
    """Answers from one snapshot of both tables."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def count(self, execution_id: UUID) -> Sequence[RouteGap]:
        """See the port."""
        async with self._database.transaction() as connection:
            await connection.execute(_HASH_THEM)
            rows = await (await connection.execute(_COUNT, {"execution_id": execution_id})).fetchall()
        return [
            RouteGap(route_id=route_id, settled=settled, missing=missing)
            for route_id, settled, missing in rows
        ]

    async def missing(self, execution_id: UUID) -> AsyncGenerator[Sequence[UnrecordedMessage], None]:
        """See the port."""
        async with self._database.transaction() as connection, connection.cursor("unrecorded") as cursor:
            await connection.execute(_HASH_THEM)
            await cursor.execute(_MISSING, {"execution_id": execution_id})
            while rows := await cursor.fetchmany(PAGE):
                yield [
                    UnrecordedMessage(
                        message=message_of(row[:7]),
                        state=MessageState(row[7]),
                        attempt=row[8],
                        settled_at=row[9],
                        error=row[10],
                        last_correlation_id=row[11],
                    )
                    for row in rows
                ]

    async def fill(self, entries: Sequence[LineageEntry]) -> int:
        """See the port."""
        ordered = sorted(entries, key=lambda entry: entry.id)
        async with self._database.transaction() as connection:
            return (await connection.execute(_FILL, (to_json(ordered),))).rowcount
