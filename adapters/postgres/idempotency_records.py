"""Answers to requests that may be repeated, in PostgreSQL."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from psycopg.types.json import Jsonb

from adapters.postgres.database import Database
from domain.idempotency import IdempotencyInFlight, IdempotencyKeyReused, KeptAnswer

_TAKE_UP = """
    INSERT INTO idempotency_record AS known (owner, key, fingerprint, token, begun_at, until)
    VALUES (%(owner)s, %(key)s, %(fingerprint)s, %(token)s, %(now)s, %(until)s)
    ON CONFLICT (owner, key) DO UPDATE SET token = excluded.token, begun_at = excluded.begun_at, until = excluded.until
    WHERE known.status IS NULL AND known.until <= %(now)s AND known.fingerprint = excluded.fingerprint
"""

_LOOK = """
    SELECT fingerprint, status, headers, body FROM idempotency_record WHERE owner = %(owner)s AND key = %(key)s
"""

_PROLONG = """
    UPDATE idempotency_record SET until = %(until)s
    WHERE owner = %(owner)s AND key = %(key)s AND token = %(token)s AND status IS NULL
"""

_FINISH = """
    UPDATE idempotency_record SET status = %(status)s, headers = %(headers)s, body = %(body)s
    WHERE owner = %(owner)s AND key = %(key)s AND token = %(token)s AND status IS NULL
"""

_ABANDON = """
    DELETE FROM idempotency_record
    WHERE owner = %(owner)s AND key = %(key)s AND token = %(token)s AND status IS NULL
"""

_FORGET = """
    DELETE FROM idempotency_record WHERE (owner, key) IN (
        SELECT owner, key FROM idempotency_record WHERE begun_at < %(before)s
        ORDER BY begun_at LIMIT %(limit)s FOR UPDATE SKIP LOCKED)
"""


class PostgresIdempotencyRecords:
    """The ``IdempotencyRecords`` port over table ``idempotency_record``."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def begin(
        self, owner: str, key: str, *, fingerprint: str, token: UUID, now: datetime, until: datetime
    ) -> KeptAnswer | None:
        """See the port."""
        asked = {
            "owner": owner,
            "key": key,
            "fingerprint": fingerprint,
            "token": token,
            "now": now,
            "until": until,
        }
        async with self._database.connection() as connection:
            if (await connection.execute(_TAKE_UP, asked)).rowcount:
                return None
            row = await (await connection.execute(_LOOK, asked)).fetchone()
        if row is None:
            raise IdempotencyInFlight  # whoever had taken it up has abandoned it just now
        known, status, headers, body = row
        if known != fingerprint:
            raise IdempotencyKeyReused
        if status is None:
            raise IdempotencyInFlight
        pairs = [(str(name), str(value)) for name, value in headers]
        return KeptAnswer(status=status, headers=pairs, body=body)

    async def prolong(self, owner: str, key: str, *, token: UUID, until: datetime) -> None:
        """See the port."""
        async with self._database.connection() as connection:
            await connection.execute(_PROLONG, {"owner": owner, "key": key, "token": token, "until": until})

    async def finish(self, owner: str, key: str, *, token: UUID, answer: KeptAnswer) -> None:
        """See the port."""
        kept = {
            "status": answer.status,
            "headers": Jsonb([list(one) for one in answer.headers]),
            "body": answer.body,
        }
        async with self._database.connection() as connection:
            await connection.execute(_FINISH, {"owner": owner, "key": key, "token": token, **kept})

    async def abandon(self, owner: str, key: str, *, token: UUID) -> None:
        """See the port."""
        async with self._database.connection() as connection:
            await connection.execute(_ABANDON, {"owner": owner, "key": key, "token": token})

    async def forget(self, *, before: datetime, limit: int) -> int:
        """See the port."""
        async with self._database.transaction() as connection:
            return (await connection.execute(_FORGET, {"before": before, "limit": limit})).rowcount
