"""Workers' leases in PostgreSQL."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from adapters.postgres.database import SHORT_SECONDS, Database
from application.ports.leases import UNKNOWN, Lease, WorkerFacts

_HOLD = """
    INSERT INTO worker_lease (owner, expires_at, executions, name, host, pid, since, takes_messages, in_hand)
    VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s)
    ON CONFLICT (owner) DO UPDATE SET expires_at = excluded.expires_at, executions = excluded.executions,
        name = excluded.name, host = excluded.host, pid = excluded.pid, since = excluded.since,
        takes_messages = excluded.takes_messages, in_hand = excluded.in_hand
"""

_HOLDERS = """
    SELECT owner, executions, name, host, pid, since, takes_messages, in_hand, expires_at
    FROM worker_lease WHERE expires_at > %s ORDER BY owner
"""


class PostgresLeases:
    """The ``Leases`` port over the table ``worker_lease``."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def hold(
        self,
        owner: UUID,
        *,
        until: datetime,
        executions: Collection[UUID] = (),
        worker: WorkerFacts = UNKNOWN,
    ) -> None:
        """See the port."""
        told = (worker.name, worker.host, worker.pid, worker.since, worker.takes_messages, worker.in_hand)
        async with self._database.connection(within=SHORT_SECONDS) as connection:
            await connection.execute(_HOLD, (owner, until, list(executions), *told))

    async def give_up(self, owner: UUID) -> None:
        """See the port."""
        async with self._database.connection(within=SHORT_SECONDS) as connection:
            await connection.execute("DELETE FROM worker_lease WHERE owner = %s", (owner,))

    async def holders(self, *, now: datetime) -> Sequence[Lease]:
        """See the port."""
        async with self._database.connection(within=SHORT_SECONDS) as connection:
            rows = await (await connection.execute(_HOLDERS, (now,))).fetchall()
        return [_lease(row) for row in rows]

    async def forget(self, *, before: datetime) -> None:
        """See the port."""
        async with self._database.connection(within=SHORT_SECONDS) as connection:
            await connection.execute("DELETE FROM worker_lease WHERE expires_at < %s", (before,))


def _lease(row: Sequence[Any]) -> Lease:
    worker = WorkerFacts(
        name=row[2], host=row[3], pid=row[4], since=row[5], takes_messages=row[6], in_hand=row[7]
    )
    return Lease(owner=row[0], executions=frozenset(row[1]), worker=worker, until=row[8])
