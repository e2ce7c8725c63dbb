"""What messages an execution has had, from the tables ``lineage_entry`` and ``message``."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from adapters.postgres.database import Database
from adapters.postgres.messages import message_of
from application.ports.message_history import HistoryCursor, HistoryPage, StageSeen

_STAGES = """
    SELECT DISTINCT route_id, stage_name, adapter_name FROM lineage_entry WHERE execution_id = %s
    ORDER BY route_id, stage_name, adapter_name
"""

# By the index on (execution_id, started_at, id), a page at a time, however many entries there are.
_NAMED = """
    SELECT started_at, id, message_id FROM lineage_entry
    WHERE execution_id = %(execution_id)s AND route_id = %(route_id)s
        AND (%(stage)s::text IS NULL OR stage_name = %(stage)s OR adapter_name = %(stage)s)
        AND (%(at)s::timestamptz IS NULL OR (started_at, id) > (%(at)s, %(entry_id)s::uuid))
    ORDER BY started_at, id LIMIT %(limit)s
"""

_MESSAGES = """
    SELECT id, execution_id, route_id, payload, metadata, parent_id, parent_correlation_id
    FROM message WHERE id = ANY(%s) AND purged_at IS NULL
"""


class PostgresMessageHistory:
    """Reads on whatever connection is free."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def stages(self, execution_id: UUID) -> Sequence[StageSeen]:
        """See the port."""
        async with self._database.connection() as connection:
            rows = await (await connection.execute(_STAGES, (execution_id,))).fetchall()
        found = [StageSeen(route_id=row[0], stage=row[1], adapter=row[2]) for row in rows]
        return sorted(found, key=lambda seen: (seen.route_id, seen.stage, seen.adapter))

    async def page(
        self,
        execution_id: UUID,
        route_id: str,
        *,
        stage: str | None,
        after: HistoryCursor | None = None,
        limit: int,
    ) -> HistoryPage:
        """See the port."""
        values = {
            "execution_id": execution_id,
            "route_id": route_id,
            "stage": stage,
            "at": after.at if after else None,
            "entry_id": after.entry_id if after else None,
            "limit": limit,
        }
        async with self._database.connection() as connection:
            named = await (await connection.execute(_NAMED, values)).fetchall()
            wanted = list(dict.fromkeys(row[2] for row in named))
            rows = await (await connection.execute(_MESSAGES, (wanted,))).fetchall()
        found = {row[0]: message_of(row) for row in rows}
        return HistoryPage(
            messages=[found[id_] for id_ in wanted if id_ in found],
            gone=[id_ for id_ in wanted if id_ not in found],
            following=HistoryCursor(at=named[-1][0], entry_id=named[-1][1]) if len(named) == limit else None,
        )
