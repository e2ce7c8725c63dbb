"""Rows of the table ``message`` to and from values."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any
from uuid import UUID

from adapters.postgres.database import Connection
from domain.message import EmissionChanged, Message, PayloadRejected

# One parameter of JSON costs this process much less than an array for each column.
_ROWS = """
    SELECT * FROM json_to_recordset(%(rows)s::json) AS child (
        id uuid, execution_id uuid, route_id text, payload jsonb, metadata jsonb,
        parent_id uuid, parent_correlation_id uuid
    )
"""

_INSERT = f"""
    INSERT INTO message (id, execution_id, route_id, payload, metadata, parent_id, parent_correlation_id)
    SELECT id, execution_id, route_id, payload, metadata, parent_id, parent_correlation_id
    FROM ({_ROWS}) AS child
    ON CONFLICT (id) DO NOTHING
    RETURNING id, execution_id
"""  # noqa: S608 (only our own constants are joined)

_CHANGED = f"""
    SELECT child.id FROM ({_ROWS}) AS child JOIN message m USING (id)
    WHERE m.payload IS DISTINCT FROM child.payload LIMIT 1
"""  # noqa: S608


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


async def insert_messages(connection: Connection, messages: Sequence[Message]) -> dict[UUID, UUID]:
    """Insert those that are not there yet; returns the new ones as ``{id: execution id}``.

    Raises EmissionChanged when one is there with another payload.
    """
    if not messages:
        return {}
    values = {"rows": f"[{','.join(map(_row, messages))}]"}
    rows = await (await connection.execute(_INSERT, values)).fetchall()
    if len(rows) < len(messages):
        changed = await (await connection.execute(_CHANGED, values)).fetchone()
        if changed is not None:
            raise EmissionChanged(f"message {changed[0]} was emitted again with another payload")
    return {row[0]: row[1] for row in rows}


def _row(message: Message) -> str:
    parent_id, correlation_id = message.parent_id, message.parent_correlation_id
    return json_text(
        {
            "id": str(message.id),
            "execution_id": str(message.execution_id),
            "route_id": message.route_id,
            "payload": message.payload,
            "metadata": message.metadata,
            "parent_id": None if parent_id is None else str(parent_id),
            "parent_correlation_id": None if correlation_id is None else str(correlation_id),
        }
    )


def json_text(value: object) -> str:
    """A value as JSON text; raises PayloadRejected for what JSON cannot hold."""
    try:
        # Strict where msgspec would write NaN as null and a set as a list.
        return json.dumps(value, allow_nan=False, ensure_ascii=False, separators=(",", ":"))
    except (TypeError, ValueError, RecursionError) as error:
        raise PayloadRejected(f"a payload cannot be stored as JSON: {error}") from error
