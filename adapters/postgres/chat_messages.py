"""The messages of threads in PostgreSQL."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from adapters.postgres.chat_rows import (
    MESSAGE_COLUMNS,
    THREAD_COLUMNS,
    message_of,
    message_values,
    thread_of,
)
from adapters.postgres.database import Connection, Database
from domain.chat.thread import (
    MAX_MESSAGES,
    Message,
    MessageNotFound,
    Thread,
    ThreadBusy,
    ThreadFull,
    ThreadNotFound,
)

INSERT = f"""
    INSERT INTO chat_message ({MESSAGE_COLUMNS}, words) VALUES (
        %(id)s, %(thread_id)s, %(parent_id)s, %(depth)s, %(role)s, %(content)s, %(status)s, %(request)s, %(answer)s,
        %(error)s, %(created_at)s, %(updated_at)s, %(words)s)
"""  # noqa: S608 - constants

_LOCK = "SELECT head_id, messages FROM chat_thread WHERE id = %s FOR UPDATE"

_HEAD = f"""
    UPDATE chat_thread SET head_id = %s, messages = messages + %s, updated_at = %s WHERE id = %s
    RETURNING {THREAD_COLUMNS}
"""  # noqa: S608 - constants

_SAVE = """
    UPDATE chat_message SET content = %(content)s, status = %(status)s, answer = %(answer)s, error = %(error)s,
        words = %(words)s, updated_at = %(updated_at)s
    WHERE id = %(id)s AND thread_id = %(thread_id)s AND status = 'writing'
"""

_GET = f"SELECT {MESSAGE_COLUMNS} FROM chat_message WHERE thread_id = %s AND id = %s"  # noqa: S608 - constants

# From the leaf up, a row at a time by primary key; only the ids are carried, the rows are fetched at the end.
_PATH = f"""
    WITH RECURSIVE above AS (
        SELECT id, parent_id, depth FROM chat_message WHERE thread_id = %(thread_id)s AND id = %(leaf)s
        UNION ALL
        SELECT m.id, m.parent_id, m.depth FROM above a JOIN chat_message m ON m.id = a.parent_id
        WHERE m.depth >= %(from_depth)s
    )
    SELECT {", ".join("m." + name for name in MESSAGE_COLUMNS.split(", "))}
    FROM (SELECT id FROM above WHERE depth >= %(from_depth)s ORDER BY depth LIMIT %(limit)s) p
    JOIN chat_message m ON m.id = p.id ORDER BY m.depth
"""  # noqa: S608 - constants

_PAGE = f"""
    SELECT {MESSAGE_COLUMNS} FROM chat_message
    WHERE thread_id = %(thread_id)s AND (%(after)s::uuid IS NULL OR id > %(after)s) ORDER BY id LIMIT %(limit)s
"""  # noqa: S608 - constants


class PostgresChatMessages:
    """The ``ChatMessages`` port over table ``chat_message``."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def append(self, messages: Sequence[Message], *, at: datetime, goes_on: bool) -> Thread:
        """See the port."""
        first = messages[0]
        async with self._database.transaction() as connection:
            standing = await (await connection.execute(_LOCK, (first.thread_id,))).fetchone()
            if standing is None:
                raise ThreadNotFound
            head_id, count = standing
            if first.parent_id is not None:
                await _require(connection, first.thread_id, first.parent_id)
            if goes_on and head_id != first.parent_id:
                raise ThreadBusy
            if count + len(messages) > MAX_MESSAGES:
                raise ThreadFull
            await connection.cursor().executemany(INSERT, [message_values(one) for one in messages])
            changed = (messages[-1].id, len(messages), at, first.thread_id)
            row = await (await connection.execute(_HEAD, changed)).fetchone()
        if row is None:  # the row is locked
            raise ThreadNotFound
        return thread_of(row)

    async def save(self, message: Message) -> bool:
        """See the port."""
        async with self._database.connection() as connection:
            return bool((await connection.execute(_SAVE, message_values(message))).rowcount)

    async def get(self, thread_id: UUID, message_id: UUID) -> Message:
        """See the port."""
        async with self._database.connection() as connection:
            return await _require(connection, thread_id, message_id)

    async def path(
        self, thread_id: UUID, *, leaf: UUID, limit: int, from_depth: int = 0
    ) -> Sequence[Message]:
        """See the port."""
        asked = {"thread_id": thread_id, "leaf": leaf, "limit": limit, "from_depth": from_depth}
        async with self._database.connection() as connection:
            rows = await (await connection.execute(_PATH, asked)).fetchall()
        return [message_of(row) for row in rows]

    async def page(self, thread_id: UUID, *, limit: int, after: UUID | None = None) -> Sequence[Message]:
        """See the port."""
        asked = {"thread_id": thread_id, "after": after, "limit": limit}
        async with self._database.connection() as connection:
            rows = await (await connection.execute(_PAGE, asked)).fetchall()
        return [message_of(row) for row in rows]


async def _require(connection: Connection, thread_id: UUID, message_id: UUID) -> Message:
    row = await (await connection.execute(_GET, (thread_id, message_id))).fetchone()
    if row is None:
        raise MessageNotFound
    return message_of(row)
