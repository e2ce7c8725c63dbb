"""The message ledger in PostgreSQL: claims and settlements, many to a transaction."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from adapters.postgres import ledger_settling as settling
from adapters.postgres.arrays import Uuids
from adapters.postgres.database import SHORT_SECONDS, Database
from adapters.postgres.ledger_plain import extend_plainly
from adapters.postgres.messages import Newborn, insert_messages, message_of
from adapters.postgres.settlements import accepted, by_index, settle
from application.ports.ledger import ClaimRequest, Handover, Settled
from domain.crash import SUSPECT_FROM
from domain.message import Claim, Message, Settlement

# From the requests to the messages by primary key, whatever the planner thinks of a table that nobody has analysed yet:
# with the state among the conditions it would read all that is queued for every request.
_CLAIM = f"""
    WITH request AS (
        SELECT * FROM unnest(%(ids)s, %(tokens)s, %(alone)s::boolean[]) AS r (id, token, alone)
        ORDER BY id
    ), held AS MATERIALIZED (
        SELECT request.token, request.alone, m.*
        FROM request CROSS JOIN LATERAL (SELECT * FROM message WHERE message.id = request.id FOR UPDATE) AS m
    ), due AS MATERIALIZED (
        SELECT held.id, held.token FROM held JOIN pipeline_execution e ON e.id = held.execution_id
        WHERE held.state = 'queued' AND (held.not_before IS NULL OR held.not_before <= %(now)s)
            AND e.status IN ('running', 'interrupted') AND (held.crashes < {SUSPECT_FROM} OR held.alone)
    ), claimed AS (
        UPDATE message m
        SET state = 'claimed', claim_token = due.token, claimed_by = %(owner)s, attempt = m.attempt + 1
        FROM due WHERE m.id = due.id
        RETURNING m.*
    )
    SELECT id, execution_id, route_id, payload, metadata, parent_id, parent_correlation_id,
           claim_token, attempt, retries
    FROM claimed
    UNION ALL
    SELECT id, execution_id, route_id, payload, metadata, parent_id, parent_correlation_id,
           claim_token, attempt, retries
    FROM held WHERE state = 'claimed' AND claim_token = token
"""  # noqa: S608 (our own constant)

_WAITING = f"""
    SELECT id FROM message
    WHERE execution_id = %(execution_id)s AND route_id = %(route_id)s AND state = 'queued' AND crashes < {SUSPECT_FROM}
        AND (not_before IS NULL OR not_before <= %(now)s)
        AND (SELECT status FROM pipeline_execution WHERE id = %(execution_id)s) IN ('running', 'interrupted')
    ORDER BY position LIMIT %(limit)s
"""  # noqa: S608

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


_ADMIT = f"{_ADD_OUTSTANDING} AND status = 'running'"


class _NotRunning(Exception):
    """Takes back what was inserted for an execution that is not running."""


class PostgresLedger:
    """The ``Ledger`` port over tables ``message`` and ``pipeline_execution``.

    Locks are taken in one order everywhere: message rows by id, then execution rows by id.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    async def claim(self, requests: Sequence[ClaimRequest], *, owner: UUID, now: datetime) -> Sequence[Claim]:
        """See the port."""
        values = {
            "ids": Uuids.of(request.message_id for request in requests),
            "tokens": Uuids.of(request.token for request in requests),
            "alone": [request.alone for request in requests],
            "owner": owner,
            "now": now,
        }
        async with by_index(self._database) as connection:
            rows = await (await connection.execute(_CLAIM, values)).fetchall()
        return [
            Claim(message=message_of(row[:7]), token=row[7], attempt=row[8], retries=row[9]) for row in rows
        ]

    async def settle(
        self, settlements: Sequence[Settlement], *, now: datetime, handover: Handover | None = None
    ) -> Sequence[Settled]:
        """See the port."""
        return await settle(self._database, settlements, now=now, handover=handover)

    async def extend(
        self,
        message_id: UUID,
        token: UUID,
        children: Sequence[Message],
        *,
        now: datetime,
        handover: Handover | None = None,
    ) -> Settled:
        """See the port."""
        del now
        newborn = Newborn(((child, token) for child in children), handover)
        with settling.naming_rejected_payloads():
            async with self._database.connection(within=SHORT_SECONDS) as connection:
                if await extend_plainly(connection, message_id, token, newborn):
                    return accepted(message_id, children, newborn.claimed)
            async with by_index(self._database) as connection:
                row = await (await connection.execute(_HELD_PARENT, (message_id, token))).fetchone()
                if row is None or not await settling.is_running(connection, row[0]):
                    return Settled(message_id=message_id, accepted=False)
                born = (await newborn.insert(connection)).get(row[0], 0)
                await connection.execute(_ADD_OUTSTANDING, (born, row[0]))
                handed_over = await newborn.handed_over(connection, are_all_new=born == newborn.count)
        return accepted(message_id, children, handed_over)

    async def admit(self, message: Message, *, now: datetime) -> bool:
        """See the port."""
        del now
        with settling.naming_rejected_payloads():
            try:
                async with self._database.transaction(within=SHORT_SECONDS) as connection:
                    born = (await insert_messages(connection, [message])).get(message.execution_id, 0)
                    counted = await connection.execute(_ADMIT, (born, message.execution_id))
                    if not counted.rowcount:
                        raise _NotRunning
            except _NotRunning:
                return False
        return True

    async def waiting(
        self, execution_id: UUID, route_id: str, *, limit: int, now: datetime
    ) -> Sequence[UUID]:
        """See the port."""
        values = {"execution_id": execution_id, "route_id": route_id, "limit": limit, "now": now}
        async with by_index(self._database) as connection:
            rows = await (await connection.execute(_WAITING, values)).fetchall()
        return [message_id for (message_id,) in rows]

    async def next_due(self, execution_id: UUID, route_id: str, *, after: datetime) -> datetime | None:
        """See the port."""
        async with by_index(self._database) as connection:
            row = await (await connection.execute(_NEXT_DUE, (execution_id, route_id, after))).fetchone()
        return row[0] if row else None
