"""Settles messages in PostgreSQL: plainly where nothing is out of the ordinary, else step by step."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from contextlib import asynccontextmanager
from datetime import datetime
from uuid import UUID

from adapters.postgres import ledger_settling as settling
from adapters.postgres.database import SHORT_SECONDS, Connection, Database
from adapters.postgres.ledger_plain import are_plain, settle_plainly
from adapters.postgres.messages import Newborn
from adapters.postgres.webhook_rows import object_events
from application.ports.ledger import Handover, Settled
from domain.execution import ExecutionStatus
from domain.message import Message, Settlement, hold_together

_TELL_OF_OBJECTS = "SELECT webhook_objects(%(events)s) WHERE webhook_wants_objects()"

_BY_INDEX = "SET LOCAL enable_seqscan = off"


async def settle(
    database: Database,
    settlements: Sequence[Settlement],
    *,
    now: datetime,
    handover: Handover | None = None,
    are_one: bool = False,
) -> Sequence[Settled]:
    """As ``Ledger.settle`` says; if they are one, as ``GroupLedger.settle_together`` does."""
    with settling.naming_rejected_payloads():
        if are_plain(settlements):
            newborn = Newborn(_all_children(settlements), handover)
            async with database.connection(within=SHORT_SECONDS) as connection:
                ended = await settle_plainly(connection, settlements, newborn, now)
            if ended is not None:
                return [
                    accepted(one.message_id, one.children, newborn.claimed, ended.get(one.execution_id))
                    for one in settlements
                ]
        return await _in_steps(database, settlements, now, handover, are_one=are_one)


async def _in_steps(
    database: Database,
    settlements: Sequence[Settlement],
    now: datetime,
    handover: Handover | None,
    *,
    are_one: bool,
) -> Sequence[Settled]:
    # Each answer waits for its turn in the event loop: three of them rather than five.
    async with by_index(database) as connection:
        held = await settling.lock(connection, settlements)
        if are_one and not hold_together([None if one is None else one.state for one in held]):
            return [Settled(message_id=one.message_id, accepted=False) for one in settlements]
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


@asynccontextmanager
async def by_index(database: Database) -> AsyncIterator[Connection]:
    """A transaction that never reads a table from its beginning to its end.

    What is planned while a table is small is kept while it grows a thousandfold, until somebody analyses it.
    """
    async with database.pipelined(within=SHORT_SECONDS) as connection:
        await connection.execute(_BY_INDEX)
        yield connection


def accepted(
    message_id: UUID,
    children: Sequence[Message],
    handed_over: AbstractSet[UUID],
    finished: ExecutionStatus | None = None,
) -> Settled:
    """The answer of what is accepted, with its children apart by whether they are handed over."""
    published: list[Message] = []
    taken: list[Message] = []
    for child in children:
        (taken if child.id in handed_over else published).append(child)
    return Settled(
        message_id=message_id, accepted=True, published=published, handed_over=taken, finished=finished
    )


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
        return accepted(
            settlement.message_id, ruling.children, handed_over, finished.get(settlement.execution_id)
        )
    if held is None or settling.comes_too_late(settlement, held, ruling):
        return Settled(message_id=settlement.message_id, accepted=False)
    children = () if settling.is_cancelled(held, ruling) else settlement.children
    return accepted(settlement.message_id, children, handed_over, held.ended)
