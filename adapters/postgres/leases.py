"""Workers' leases in PostgreSQL."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from adapters.postgres.database import Database

_HOLD = """
    INSERT INTO worker_lease (owner, expires_at) VALUES (%s, %s)
    ON CONFLICT (owner) DO UPDATE SET expires_at = excluded.expires_at
"""


class PostgresLeases:
    """The ``Leases`` port over the table ``worker_lease``."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def hold(self, owner: UUID, *, until: datetime) -> None:
        """See the port."""
        async with self._database.connection() as connection:
            await connection.execute(_HOLD, (owner, until))

    async def give_up(self, owner: UUID) -> None:
        """See the port."""
        async with self._database.connection() as connection:
            await connection.execute("DELETE FROM worker_lease WHERE owner = %s", (owner,))

    async def holders(self, *, now: datetime) -> Sequence[UUID]:
        """See the port."""
        async with self._database.connection() as connection:
            cursor = await connection.execute("SELECT owner FROM worker_lease WHERE expires_at > %s", (now,))
            rows = await cursor.fetchall()
        return [owner for (owner,) in rows]
