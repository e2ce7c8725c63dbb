"""Workers' leases in PostgreSQL."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Sequence
from datetime import datetime
from types import TracebackType
from typing import Any, LiteralString, Self
from uuid import UUID

from adapters.postgres.database import SHORT_SECONDS, Connection, Database
from adapters.postgres.translation import translating
from application.ports.leases import UNKNOWN, Lease, WorkerFacts
from domain.errors import Unavailable

ANSWER_SECONDS = 5.0
"""How long a lease waits for its answer. A silent line, and a new one in its place, take less than the lease of 15 seconds."""

_HOLD = """
    INSERT INTO worker_lease (owner, expires_at, executions, name, host, pid, since, takes_messages, in_hand)
    VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s)
    ON CONFLICT (owner) DO UPDATE SET expires_at = excluded.expires_at, executions = excluded.executions,
        name = excluded.name, host = excluded.host, pid = excluded.pid, since = excluded.since,
        takes_messages = excluded.takes_messages, in_hand = excluded.in_hand
"""

_GIVE_UP = "DELETE FROM worker_lease WHERE owner = %s"

_HOLDERS = """
    SELECT owner, executions, name, host, pid, since, takes_messages, in_hand, expires_at
    FROM worker_lease WHERE expires_at > %s ORDER BY owner
"""


class PostgresLeases:
    """The ``Leases`` port over the table ``worker_lease``, for as long as ``async with`` lasts.

    A lease is held over a connection of its own, opened by the first use and again after a failure: slow statements
    that have the whole pool must not let the lease of a healthy process run out. What is asked goes by the pool.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._connection: Connection | None = None
        self._turn = asyncio.Lock()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self._hang_up()

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
        await self._state(_HOLD, (owner, until, list(executions), *told))

    async def give_up(self, owner: UUID) -> None:
        """See the port."""
        await self._state(_GIVE_UP, (owner,))

    async def holders(self, *, now: datetime) -> Sequence[Lease]:
        """See the port."""
        async with self._database.connection(within=SHORT_SECONDS) as connection:
            rows = await (await connection.execute(_HOLDERS, (now,))).fetchall()
        return [_lease(row) for row in rows]

    async def forget(self, *, before: datetime) -> None:
        """See the port."""
        async with self._database.connection(within=SHORT_SECONDS) as connection:
            await connection.execute("DELETE FROM worker_lease WHERE expires_at < %s", (before,))

    async def _state(self, statement: LiteralString, values: Sequence[object]) -> None:
        """Say something that may be said twice: what breaks on the connection there was is said over a new one."""
        async with self._turn:
            is_first_try = self._connection is not None
            try:
                await self._say(statement, values)
            except Unavailable:
                if not is_first_try:
                    raise
                await self._say(statement, values)

    async def _say(self, statement: LiteralString, values: Sequence[object]) -> None:
        if self._connection is None:
            self._connection = await self._database.connect("factflow lease", within=ANSWER_SECONDS)
        try:
            with translating():
                await self._connection.execute(statement, values)
        except BaseException:
            await self._hang_up()
            raise

    async def _hang_up(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            await connection.close()


def _lease(row: Sequence[Any]) -> Lease:
    worker = WorkerFacts(
        name=row[2], host=row[3], pid=row[4], since=row[5], takes_messages=row[6], in_hand=row[7]
    )
    return Lease(owner=row[0], executions=frozenset(row[1]), worker=worker, until=row[8])
