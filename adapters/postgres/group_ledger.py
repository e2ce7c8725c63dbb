"""Messages that are settled as one, in PostgreSQL."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from uuid import UUID

from adapters.postgres.database import Database
from adapters.postgres.settlements import by_index, settle
from application.ports.ledger import Settled
from domain.message import Settlement

# Whatever is claimed is little; of what is queued, as much is read as is asked for.
_STILL_TO_COME = """
    SELECT count(*) FROM (
        SELECT FROM message
        WHERE execution_id = %(execution_id)s AND state = 'queued' AND route_id <> ALL (%(apart_from)s::text[])
        UNION ALL
        SELECT FROM message
        WHERE execution_id = %(execution_id)s AND state = 'claimed' AND route_id <> ALL (%(apart_from)s::text[])
            AND (route_id <> %(route_id)s OR claimed_by = %(owner)s)
        LIMIT %(limit)s
    ) AS unsettled
"""


class PostgresGroupLedger:
    """The ``GroupLedger`` port over the tables of ``PostgresLedger``."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def settle_together(self, settlements: Sequence[Settlement], *, now: datetime) -> Sequence[Settled]:
        """See the port."""
        return await settle(self._database, settlements, now=now, are_one=True)

    async def still_to_come(
        self, execution_id: UUID, route_id: str, *, owner: UUID, apart_from: Collection[str], limit: int
    ) -> int:
        """See the port."""
        values = {
            "execution_id": execution_id,
            "route_id": route_id,
            "owner": owner,
            "apart_from": list(apart_from),
            "limit": limit,
        }
        async with by_index(self._database) as connection:
            row = await (await connection.execute(_STILL_TO_COME, values)).fetchone()
        return row[0] if row else 0
