"""Workers' leases in PostgreSQL."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from uuid import UUID

from adapters.postgres.database import Database
from application.ports.leases import Lease

_HOLD = """
    INSERT INTO worker_lease (owner, expires_at, executions) VALUES (%s, %s, %s)
    ON CONFLICT (owner) DO UPDATE SET expires_at = excluded.expires_at, executions = excluded.executions
"""

_HOLDERS = "SELECT owner, executions FROM worker_lease WHERE expires_at > %s"


class PostgresLeases:
    """The ``Leases`` port over the table ``worker_lease``."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def hold(self, owner: UUID, *, until: datetime, executions: Collection[UUID] = ()) -> None:
        """See the port."""
        async with self._database.connection() as connection:
            await connection.execute(_HOLD, (owner, until, list(executions)))

    async def give_up(self, owner: UUID) -> None:
        """See the port."""
        async with self._database.connection() as connection:
            await connection.execute("DELETE FROM worker_lease WHERE owner = %s", (owner,))

    async def holders(self, *, now: datetime) -> Sequence[Lease]:
        """See the port."""
        async with self._database.connection() as connection:
            rows = await (await connection.execute(_HOLDERS, (now,))).fetchall()
        return [Lease(owner=owner, executions=frozenset(executions)) for owner, executions in rows]

    async def forget(self, *, before: datetime) -> None:
        """See the port."""
        async with self._database.connection() as connection:
            await connection.execute("DELETE FROM worker_lease WHERE expires_at < %s", (before,))
