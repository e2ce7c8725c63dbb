"""What the ledger in memory tells of messages that are not settled yet."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from uuid import UUID

from adapters.memory.message_row import MessageRow
from domain.crash import SUSPECT_FROM
from domain.message import MessageState


def waiting(rows: Iterable[MessageRow], *, limit: int, now: datetime) -> Sequence[UUID]:
    """Up to ``limit`` ids of those that are queued, due and no suspects, the oldest first."""
    ordered = sorted(rows, key=lambda row: row.position)
    return [row.message.id for row in ordered if row.is_due(now) and row.crashes < SUSPECT_FROM][:limit]


def next_due(rows: Iterable[MessageRow], *, after: datetime) -> datetime | None:
    """The earliest ``not_before`` later than a moment among those that are queued."""
    moments = [row.not_before for row in rows if row.state is MessageState.QUEUED]
    return min((due for due in moments if due is not None and due > after), default=None)


def still_to_come(
    rows: Iterable[MessageRow], route_id: str, *, owner: UUID, apart_from: Collection[str]
) -> int:
    """How many are, or may lead to, messages for the owner's part of a route."""
    return sum(
        row.state is MessageState.QUEUED or row.owner == owner
        if row.message.route_id == route_id
        else row.message.route_id not in apart_from
        for row in rows
        if not row.state.is_settled
    )
