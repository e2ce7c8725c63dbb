"""The message ledger in PostgreSQL: claims and settlements, many to a transaction."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from uuid import UUID

from adapters.postgres import ledger_settling as settling
from adapters.postgres.database import Database
from adapters.postgres.messages import insert_messages, message_of
from application.ports.ledger import ClaimRequest, Settled
from domain.message import Claim, Message, Settlement

_CLAIM = """
    WITH request AS (
        SELECT * FROM unnest(%(ids)s::uuid[], %(tokens)s::uuid[]) AS r (id, token)
    ), due AS (
        SELECT m.id, request.token
        FROM request JOIN message m USING (id) JOIN pipeline_execution e ON e.id = m.execution_id
        WHERE m.state = 'queued' AND (m.not_before IS NULL OR m.not_before <= %(now)s)
            AND e.status IN ('running', 'interrupted')
        ORDER BY m.id
        FOR UPDATE OF m
    ), claimed AS (
        UPDATE message m
        SET state = 'claimed', claim_token = due.token, claimed_by = %(owner)s, attempt = m.attempt + 1
        FROM due WHERE m.id = due.id
        RETURNING m.*
    ), before AS (
        SELECT m.* FROM request JOIN message m USING (id)
        WHERE m.state = 'claimed' AND m.claim_token = request.token
    )
    SELECT id, execution_id, route_id, payload, metadata, parent_id, parent_correlation_id,
           claim_token, attempt, retries
    FROM (SELECT * FROM claimed UNION ALL SELECT * FROM before) AS held
"""

_WAITING = """
    SELECT id FROM message
    WHERE execution_id = %(execution_id)s AND route_id = %(route_id)s AND state = 'queued'
        AND (not_before IS NULL OR not_before <= %(now)s)
    ORDER BY position LIMIT %(limit)s
"""

_NEXT_DUE = """
    SELECT min(not_before) FROM message
    WHERE execution_id = %s AND route_id = %s AND state = 'queued' AND not_before > %s
"""

_HELD_PARENT = """
    SELECT execution_id FROM message WHERE id = %s AND claim_token = %s AND state = 'claimed' FOR UPDATE
"""

_ADD_OUTSTANDING = """
    UPDATE pipeline_execution SET outstanding = outstanding + %s WHERE id = %s
"""


class PostgresLedger:
    """The ``Ledger`` port over tables ``message`` and ``pipeline_execution``.

    Locks are taken in one order everywhere: message rows by id, then execution rows by id.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    async def claim(self, requests: Sequence[ClaimRequest], *, owner: UUID, now: datetime) -> Sequence[Claim]:
        """See the port."""
        values = {
            "ids": [request.message_id for request in requests],
            "tokens": [request.token for request in requests],
            "owner": owner,
            "now": now,
        }
        # A single statement is a transaction by itself.
        async with self._database.connection() as connection:
            rows = await (await connection.execute(_CLAIM, values)).fetchall()
        return [
            Claim(message=message_of(row[:7]), token=row[7], attempt=row[8], retries=row[9]) for row in rows
        ]

    async def settle(self, settlements: Sequence[Settlement], *, now: datetime) -> Sequence[Settled]:
        """See the port."""
        with settling.naming_rejected_payloads():
            async with self._database.transaction() as connection:
                held = await settling.lock(connection, settlements)
                rulings = settling.rule(settlements, held)
                born = await insert_messages(connection, _children(rulings))
                finished = await settling.write(connection, rulings, born, now)
        return [_settled(settlement, rulings, held, finished) for settlement in settlements]

    async def extend(
        self, message_id: UUID, token: UUID, children: Sequence[Message], *, now: datetime
    ) -> bool:
        """See the port."""
        del now
        with settling.naming_rejected_payloads():
            async with self._database.transaction() as connection:
                row = await (await connection.execute(_HELD_PARENT, (message_id, token))).fetchone()
                if row is None or not await settling.is_running(connection, row[0]):
                    return False
                born = await insert_messages(connection, children)
                await connection.execute(_ADD_OUTSTANDING, (len(born), row[0]))
        return True

    async def waiting(
        self, execution_id: UUID, route_id: str, *, limit: int, now: datetime
    ) -> Sequence[UUID]:
        """See the port."""
        values = {"execution_id": execution_id, "route_id": route_id, "limit": limit, "now": now}
        async with self._database.connection() as connection:
            rows = await (await connection.execute(_WAITING, values)).fetchall()
        return [message_id for (message_id,) in rows]

    async def next_due(self, execution_id: UUID, route_id: str, *, after: datetime) -> datetime | None:
        """See the port."""
        async with self._database.connection() as connection:
            row = await (await connection.execute(_NEXT_DUE, (execution_id, route_id, after))).fetchone()
        return row[0] if row else None


def _children(rulings: Mapping[UUID, settling.Ruling]) -> Sequence[Message]:
    return [child for ruling in rulings.values() for child in ruling.children]


def _settled(
    settlement: Settlement,
    rulings: Mapping[UUID, settling.Ruling],
    held: Mapping[UUID, settling.Held],
    finished: settling.Finished,
) -> Settled:
    message_id = settlement.message_id
    if message_id in rulings:
        ruling = rulings[message_id]
        return Settled(
            message_id=message_id,
            accepted=True,
            published=ruling.children,
            finished=finished.get(settlement.execution_id),
        )
    accepted_before = message_id in held
    return Settled(
        message_id=message_id,
        accepted=accepted_before,
        published=settlement.children if accepted_before and not held[message_id].is_cancelled else (),
        finished=held[message_id].ended if accepted_before else None,
    )
