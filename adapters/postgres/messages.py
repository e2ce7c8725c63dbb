"""Rows of the table ``message`` to and from values."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from uuid import UUID

import msgspec

from adapters.postgres.database import Connection
from application.ports.ledger import Handover
from domain.message import EmissionChanged, Message, PayloadRejected

# One parameter of JSON costs this process much less than an array for each column.
_ROWS = """
    SELECT * FROM json_to_recordset(%(rows)s::json) AS child (
        id uuid, execution_id uuid, route_id text, payload jsonb, metadata jsonb,
        parent_id uuid, parent_correlation_id uuid, token uuid
    )
"""

_INSERT = f"""
    WITH born AS (
        INSERT INTO message (
            id, execution_id, route_id, payload, metadata, parent_id, parent_correlation_id,
            state, claim_token, claimed_by, attempt
        )
        SELECT id, execution_id, route_id, payload, metadata, parent_id, parent_correlation_id,
               CASE WHEN token IS NULL THEN 'queued' ELSE 'claimed' END, token,
               CASE WHEN token IS NOT NULL THEN %(owner)s::uuid END, CASE WHEN token IS NULL THEN 0 ELSE 1 END
        FROM ({_ROWS}) AS child
        ON CONFLICT (id) DO NOTHING
        RETURNING execution_id
    )
    SELECT execution_id, count(*) FROM born GROUP BY execution_id
"""  # noqa: S608 (only our own constants are joined)

_CHANGED = f"""
    SELECT child.id FROM ({_ROWS}) AS child JOIN message m USING (id)
    WHERE m.payload IS DISTINCT FROM child.payload AND m.purged_at IS NULL LIMIT 1
"""  # noqa: S608

_HANDED_OVER = f"""
    SELECT child.id FROM ({_ROWS}) AS child JOIN message m USING (id)
    WHERE m.state = 'claimed' AND m.claim_token = child.token AND m.claimed_by = %(owner)s
"""  # noqa: S608


class _Row(msgspec.Struct):
    id: UUID
    execution_id: UUID
    route_id: str
    payload: msgspec.Raw
    metadata: msgspec.Raw
    parent_id: UUID | None
    parent_correlation_id: UUID | None
    token: UUID | None


class Newborn:
    """Messages to bring into being, some of them claimed for an owner under a token from the start.

    ``children`` come as ``(message, token)``; the token counts for those that the handover names. ``values`` are the
    parameters ``rows`` and ``owner``, ``claimed`` the ids of those that are to be claimed.
    """

    def __init__(self, children: Iterable[tuple[Message, UUID | None]], handover: Handover | None) -> None:
        chosen = handover.message_ids if handover else frozenset()
        rows = [_row(child, token if child.id in chosen else None) for child, token in children]
        self.count = len(rows)
        self.claimed = {row.id for row in rows if row.token is not None}
        self.values = {
            "rows": msgspec.json.encode(rows).decode(),
            "owner": handover.owner if handover else None,
        }

    async def insert(self, connection: Connection) -> Mapping[UUID, int]:
        """Insert those that are not there yet; returns how many came into being, ``{execution id: count}``.

        Raises EmissionChanged when one is there with another payload.
        """
        if not self.count:
            return {}
        rows = await (await connection.execute(_INSERT, self.values)).fetchall()
        born: dict[UUID, int] = dict(rows)
        if sum(born.values()) < self.count:
            await self._require_unchanged(connection)
        return born

    async def handed_over(self, connection: Connection, *, are_all_new: bool) -> set[UUID]:
        """Those of the messages named in the handover that are indeed claimed for its owner."""
        if are_all_new or not self.claimed:
            return self.claimed
        rows = await (await connection.execute(_HANDED_OVER, self.values)).fetchall()
        return {message_id for (message_id,) in rows}

    async def _require_unchanged(self, connection: Connection) -> None:
        changed = await (await connection.execute(_CHANGED, self.values)).fetchone()
        if changed is not None:
            raise EmissionChanged(f"message {changed[0]} was emitted again with another payload")


def message_of(row: Sequence[Any]) -> Message:
    """A message from ``id, execution_id, route_id, payload, metadata, parent_id, parent_correlation_id``."""
    return Message(
        id=row[0],
        execution_id=row[1],
        route_id=row[2],
        payload=row[3],
        metadata=row[4],
        parent_id=row[5],
        parent_correlation_id=row[6],
    )


async def insert_messages(connection: Connection, messages: Sequence[Message]) -> Mapping[UUID, int]:
    """Insert those that are not there yet, queued; see ``Newborn.insert``."""
    return await Newborn(((message, None) for message in messages), None).insert(connection)


def _row(message: Message, token: UUID | None) -> _Row:
    encoded = message.encoded
    return _Row(
        message.id,
        message.execution_id,
        message.route_id,
        msgspec.Raw((encoded.text if encoded else json_text(message.payload)).encode()),
        msgspec.Raw(json_text(message.metadata).encode()) if message.metadata else _EMPTY,
        message.parent_id,
        message.parent_correlation_id,
        token,
    )


def json_text(value: object) -> str:
    """A value as JSON text; raises PayloadRejected for what JSON cannot hold."""
    try:
        # Strict where msgspec would write NaN as null and a set as a list.
        text = _STRICT.encode(value)
        text.encode()
    except (TypeError, ValueError, RecursionError) as error:
        raise PayloadRejected(f"a payload cannot be stored as JSON: {error}") from error
    return text


_STRICT = json.JSONEncoder(allow_nan=False, ensure_ascii=False, separators=(",", ":"))
_EMPTY = msgspec.Raw(b"{}")
