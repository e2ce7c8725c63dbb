"""The message ledger in PostgreSQL: claims and settlements, many to a transaction."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from contextlib import asynccontextmanager
from datetime import datetime
from uuid import UUID

from adapters.postgres import ledger_settling as settling
from adapters.postgres.arrays import Uuids
from adapters.postgres.database import SHORT_SECONDS, Connection, Database
from adapters.postgres.ledger_plain import are_plain, extend_plainly, settle_plainly
from adapters.postgres.messages import Newborn, insert_messages, message_of
from adapters.postgres.webhook_rows import object_events
from application.ports.ledger import ClaimRequest, Handover, Settled
from domain.crash import SUSPECT_FROM
from domain.execution import ExecutionStatus
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


_TELL_OF_OBJECTS = "SELECT webhook_objects(%(events)s) WHERE webhook_wants_objects()"

_BY_INDEX = "SET LOCAL enable_seqscan = off"


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
        async with self._by_index() as connection:
            rows = await (await connection.execute(_CLAIM, values)).fetchall()
        return [
            Claim(message=message_of(row[:7]), token=row[7], attempt=row[8], retries=row[9]) for row in rows
        ]

    async def settle(
        self, settlements: Sequence[Settlement], *, now: datetime, handover: Handover | None = None
    ) -> Sequence[Settled]:
        """See the port."""
        with settling.naming_rejected_payloads():
            if are_plain(settlements):
                newborn = Newborn(_all_children(settlements), handover)
                async with self._database.connection(within=SHORT_SECONDS) as connection:
                    ended = await settle_plainly(connection, settlements, newborn, now)
                if ended is not None:
                    return [
                        _accepted(one.message_id, one.children, newborn.claimed, ended.get(one.execution_id))
                        for one in settlements
                    ]
            return await self._settle_in_steps(settlements, now, handover)

    async def _settle_in_steps(
        self, settlements: Sequence[Settlement], now: datetime, handover: Handover | None
    ) -> Sequence[Settled]:
        # Each answer waits for its turn in the event loop: three of them rather than five.
        async with self._by_index() as connection:
            held = await settling.lock(connection, settlements)
            rulings = settling.rule(settlements, held)
            newborn = Newborn(_children(rulings), handover)
            born = await newborn.insert(connection)
            are_all_new = sum(born.values()) == newborn.count and len(rulings) == len(settlements)
            if not are_all_new:
                newborn = Newborn(_all_children(settlements), handover)
            handed_over = await newborn.handed_over(connection, are_all_new=are_all_new)
            if events := object_events((one.settlement for one in rulings.values()), now):
                await connection.execute(_TELL_OF_OBJECTS, {"events": events})
            written = await settling.write(connection, rulings, born, now)
        finished = await settling.ended(written)
        return [
            _settled(settlement, one, rulings.get(settlement.message_id), finished, handed_over)
            for settlement, one in zip(settlements, held, strict=True)
        ]

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
                    return _accepted(message_id, children, newborn.claimed)
            async with self._by_index() as connection:
                row = await (await connection.execute(_HELD_PARENT, (message_id, token))).fetchone()
                if row is None or not await settling.is_running(connection, row[0]):
                    return Settled(message_id=message_id, accepted=False)
                born = (await newborn.insert(connection)).get(row[0], 0)
                await connection.execute(_ADD_OUTSTANDING, (born, row[0]))
                handed_over = await newborn.handed_over(connection, are_all_new=born == newborn.count)
        return _accepted(message_id, children, handed_over)

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
        async with self._by_index() as connection:
            rows = await (await connection.execute(_WAITING, values)).fetchall()
        return [message_id for (message_id,) in rows]

    async def next_due(self, execution_id: UUID, route_id: str, *, after: datetime) -> datetime | None:
        """See the port."""
        async with self._by_index() as connection:
            row = await (await connection.execute(_NEXT_DUE, (execution_id, route_id, after))).fetchone()
        return row[0] if row else None

    @asynccontextmanager
    async def _by_index(self) -> AsyncIterator[Connection]:
        """A transaction that never reads a table from its beginning to its end.

        What is planned while a table is small is kept while it grows a thousandfold, until somebody analyses it.
        """
        async with self._database.pipelined(within=SHORT_SECONDS) as connection:
            await connection.execute(_BY_INDEX)
            yield connection


def _children(rulings: Mapping[UUID, settling.Ruling]) -> Iterator[tuple[Message, UUID]]:
    for ruling in rulings.values():
        for child in ruling.children:
            yield child, ruling.settlement.token


def _all_children(settlements: Sequence[Settlement]) -> Iterator[tuple[Message, UUID]]:
    for settlement in settlements:
        for child in settlement.children:
            yield child, settlement.token


def _settled(
    settlement: Settlement,
    held: settling.Held | None,
    ruling: settling.Ruling | None,
    finished: settling.Finished,
    handed_over: AbstractSet[UUID],
) -> Settled:
    if ruling is not None and ruling.settlement is settlement:
        return _accepted(
            settlement.message_id, ruling.children, handed_over, finished.get(settlement.execution_id)
        )
    if held is None or settling.comes_too_late(settlement, held, ruling):
        return Settled(message_id=settlement.message_id, accepted=False)
    children = () if settling.is_cancelled(held, ruling) else settlement.children
    return _accepted(settlement.message_id, children, handed_over, held.ended)


def _accepted(
    message_id: UUID,
    children: Sequence[Message],
    handed_over: AbstractSet[UUID],
    finished: ExecutionStatus | None = None,
) -> Settled:
    published: list[Message] = []
    taken: list[Message] = []
    for child in children:
        (taken if child.id in handed_over else published).append(child)
    return Settled(
        message_id=message_id, accepted=True, published=published, handed_over=taken, finished=finished
    )
