"""Dead letters in PostgreSQL."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from adapters.postgres.database import Connection, Database
from adapters.postgres.dead_letter_redriving import redrive
from adapters.postgres.dead_letter_rows import COLUMNS, EARLIEST_FIRST, IS_THERE, dead_letter_of, meant
from application.ports.counting import COUNTED_EXACTLY
from application.ports.dead_letters import (
    DeadLetterPage,
    DeadLetterPosition,
    Redriven,
    position_of,
)
from domain.claim_check import REFERENCE, payload_key
from domain.dead_letter import DeadLetter, DeadLetterFilter, DeadLetterNotFound, MessageNotDead
from domain.message import MessageState

_LIST = f"""
    SELECT {COLUMNS} FROM message WHERE {{meant}} {{from_there}}
    {EARLIEST_FIRST} LIMIT %(limit)s OFFSET %(offset)s
"""  # noqa: S608 (only our own constants are joined)

_FROM_THERE = "AND (settled_at, id) > (%(after_at)s, %(after_id)s)"

_COUNT = "SELECT count(*) FROM (SELECT 1 FROM message WHERE {meant} LIMIT %(most)s) AS counted"

_GET = f"SELECT state, {COLUMNS} FROM message WHERE id = %s"  # noqa: S608

_EXECUTIONS = """
    SELECT DISTINCT execution_id FROM message
    WHERE {meant} AND (%(after)s::uuid IS NULL OR execution_id > %(after)s)
        AND EXISTS (SELECT FROM pipeline_execution e WHERE e.id = execution_id AND e.status <> 'cancelled')
    ORDER BY execution_id LIMIT %(limit)s
"""

_PURGE = f"""
    WITH found AS (
        SELECT id FROM message WHERE {{meant}} {EARLIEST_FIRST} LIMIT %(limit)s
    ), held AS (
        SELECT id, payload -> '{REFERENCE}' ->> 'hash' AS hash FROM message
        WHERE id = ANY (ARRAY(SELECT id FROM found)) AND {IS_THERE}
        ORDER BY id FOR UPDATE
    )
    UPDATE message m SET payload = '{{{{}}}}', metadata = '{{{{}}}}', error = NULL, purged_at = %(now)s
    FROM held WHERE m.id = held.id
    RETURNING m.execution_id, m.id, held.hash
"""  # noqa: S608

_REMEMBER = "INSERT INTO unerased_payload (key) SELECT unnest(%s::text[]) ON CONFLICT DO NOTHING"

_UNERASED = "SELECT key FROM unerased_payload ORDER BY key LIMIT %s"

_ERASED = "DELETE FROM unerased_payload WHERE key = ANY (%s)"


class PostgresDeadLetters:
    """The ``DeadLetters`` port over tables ``message`` and ``pipeline_execution``."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def list(
        self,
        wanted: DeadLetterFilter,
        *,
        limit: int,
        offset: int = 0,
        after: DeadLetterPosition | None = None,
    ) -> DeadLetterPage:
        """See the port."""
        condition, values = meant(wanted)
        query = _LIST.format(meant=condition, from_there="" if after is None else _FROM_THERE)
        values |= {"limit": limit + 1, "offset": offset}
        if after is not None:
            values |= {"after_at": after.dead_at, "after_id": after.message_id}
        async with self._database.transaction() as connection:
            rows = await (await connection.execute(query.encode(), values)).fetchall()
            total = await _count(connection, condition, values)
        letters = [dead_letter_of(row) for row in rows[:limit]]
        return DeadLetterPage(
            letters=letters,
            total=min(total, COUNTED_EXACTLY),
            is_total_exact=total <= COUNTED_EXACTLY,
            following=position_of(letters[-1]) if len(rows) > limit else None,
        )

    async def get(self, message_id: UUID) -> DeadLetter:
        """See the port."""
        async with self._database.connection() as connection:
            row = await (await connection.execute(_GET, (message_id,))).fetchone()
        if row is None:
            raise DeadLetterNotFound(f"there is no message {message_id}")
        if row[0] != MessageState.DEAD:
            raise MessageNotDead(f"the message is {row[0]}, not dead")
        return dead_letter_of(row[1:])

    async def executions(
        self, wanted: DeadLetterFilter, *, limit: int, after: UUID | None = None
    ) -> Sequence[UUID]:
        """See the port."""
        condition, values = meant(wanted)
        query = _EXECUTIONS.format(meant=condition)
        async with self._database.connection() as connection:
            found = await connection.execute(query.encode(), values | {"limit": limit, "after": after})
            return [execution_id for (execution_id,) in await found.fetchall()]

    async def redrive(
        self, execution_id: UUID, wanted: DeadLetterFilter, *, limit: int, places: int | None
    ) -> Redriven:
        """See the port."""
        return await redrive(self._database, execution_id, wanted, limit=limit, places=places)

    async def purge(self, wanted: DeadLetterFilter, *, limit: int, now: datetime) -> int:
        """See the port."""
        condition, values = meant(wanted)
        query = _PURGE.format(meant=condition)
        async with self._database.transaction() as connection:
            purged = await connection.execute(query.encode(), values | {"limit": limit, "now": now})
            rows = await purged.fetchall()
            if keys := _payload_keys(rows):
                await connection.execute(_REMEMBER, (keys,))
        return len(rows)

    async def unerased(self, *, limit: int, erased: Sequence[str] = ()) -> Sequence[str]:
        """See the port."""
        async with self._database.transaction() as connection:
            if erased:
                await connection.execute(_ERASED, (list(erased),))
            found = await connection.execute(_UNERASED, (limit,))
            return [key for (key,) in await found.fetchall()]


def _payload_keys(rows: Sequence[tuple[UUID, UUID, str | None]]) -> list[str]:
    return [
        payload_key(execution_id, message_id, hashed) for execution_id, message_id, hashed in rows if hashed
    ]


async def _count(connection: Connection, condition: str, values: dict[str, object]) -> int:
    query = _COUNT.format(meant=condition)
    row = await (await connection.execute(query.encode(), values | {"most": COUNTED_EXACTLY + 1})).fetchone()
    return row[0] if row else 0
