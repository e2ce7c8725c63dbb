"""Threads in PostgreSQL."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from adapters.postgres.chat_messages import INSERT
from adapters.postgres.chat_rows import (
    MESSAGE_COLUMNS,
    THREAD_COLUMNS,
    message_of,
    message_values,
    thread_of,
    thread_values,
)
from adapters.postgres.database import Database
from application.ports.chat_threads import FoundMessage, ThreadPlace
from domain.chat.thread import Message, Thread, ThreadNotFound, TitleOrigin

_ADD = f"""
    INSERT INTO chat_thread ({THREAD_COLUMNS}) VALUES (
        %(id)s, %(owner)s, %(title)s, %(title_origin)s, %(head_id)s, %(messages)s, %(origin_thread_id)s,
        %(origin_message_id)s, %(created_at)s, %(updated_at)s)
"""  # noqa: S608 - constants

_GET = f"SELECT {THREAD_COLUMNS} FROM chat_thread WHERE id = %s AND owner = %s"  # noqa: S608 - constants

_PAGE = f"""
    SELECT {THREAD_COLUMNS} FROM chat_thread
    WHERE owner = %(owner)s AND (%(id)s::uuid IS NULL OR (updated_at, id) < (%(at)s::timestamptz, %(id)s))
    ORDER BY updated_at DESC, id DESC LIMIT %(limit)s
"""  # noqa: S608 - constants

_COUNT = "SELECT count(*) FROM chat_thread WHERE owner = %(owner)s"

_RENAME = """
    UPDATE chat_thread SET title = %(title)s, title_origin = %(origin)s
    WHERE id = %(id)s AND owner = %(owner)s AND (%(instead_of)s::text IS NULL OR title_origin = %(instead_of)s)
"""

_REMOVE = "DELETE FROM chat_thread WHERE id = %s AND owner = %s"

_FIND = f"""
    SELECT t.title, {", ".join("m." + name for name in MESSAGE_COLUMNS.split(", "))}
    FROM chat_message m JOIN chat_thread t ON t.id = m.thread_id
    WHERE t.owner = %(owner)s AND m.words @> %(words)s::text[] AND (%(after)s::uuid IS NULL OR m.id < %(after)s)
    ORDER BY m.id DESC LIMIT %(limit)s
"""  # noqa: S608 - constants


class PostgresChatThreads:
    """The ``ChatThreads`` port over table ``chat_thread``."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, thread: Thread, messages: Sequence[Message] = ()) -> None:
        """See the port."""
        async with self._database.transaction() as connection:
            await connection.execute(_ADD, thread_values(thread))
            if messages:
                values = [message_values(message) for message in messages]
                await connection.cursor().executemany(INSERT, values)

    async def get(self, thread_id: UUID, *, owner: str) -> Thread:
        """See the port."""
        async with self._database.connection() as connection:
            row = await (await connection.execute(_GET, (thread_id, owner))).fetchone()
        if row is None:
            raise ThreadNotFound
        return thread_of(row)

    async def page(
        self, *, owner: str, limit: int, after: ThreadPlace | None = None
    ) -> tuple[Sequence[Thread], int]:
        """See the port."""
        asked = {
            "owner": owner,
            "limit": limit,
            "at": after.updated_at if after else None,
            "id": after.id if after else None,
        }
        async with self._database.connection() as connection:
            rows = await (await connection.execute(_PAGE, asked)).fetchall()
            total = await (await connection.execute(_COUNT, asked)).fetchone()
        return [thread_of(row) for row in rows], total[0] if total else 0

    async def rename(
        self, thread_id: UUID, *, owner: str, title: str, origin: TitleOrigin, instead_of: TitleOrigin | None
    ) -> bool:
        """See the port."""
        values = {
            "id": thread_id,
            "owner": owner,
            "title": title,
            "origin": origin.value,
            "instead_of": instead_of.value if instead_of else None,
        }
        async with self._database.connection() as connection:
            if (await connection.execute(_RENAME, values)).rowcount:
                return True
        await self.get(thread_id, owner=owner)
        return False

    async def remove(self, thread_id: UUID, *, owner: str) -> None:
        """See the port."""
        async with self._database.connection() as connection:
            if not (await connection.execute(_REMOVE, (thread_id, owner))).rowcount:
                raise ThreadNotFound

    async def find(
        self, words: Sequence[str], *, owner: str, limit: int, after: UUID | None = None
    ) -> Sequence[FoundMessage]:
        """See the port."""
        if not words:
            return ()
        asked = {"owner": owner, "words": list(words), "after": after, "limit": limit}
        async with self._database.connection() as connection:
            rows = await (await connection.execute(_FIND, asked)).fetchall()
        return [FoundMessage(title=row[0], message=message_of(row[1:])) for row in rows]
