"""Uploads under way in PostgreSQL."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from adapters.postgres.database import Database
from adapters.postgres.webhook_rows import publish
from domain.storage import Upload
from domain.webhooks.event import WebhookEvent

_BEGIN = "INSERT INTO upload (id, key, begun_at) VALUES (%s, %s, %s) ON CONFLICT DO NOTHING"
_END = "DELETE FROM upload WHERE id = %s"
_BEGUN_BEFORE = "SELECT id, key, begun_at FROM upload WHERE begun_at < %s ORDER BY begun_at LIMIT %s"


class PostgresUploads:
    """The ``Uploads`` port over the table ``upload``."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def begin(self, upload: Upload) -> None:
        """See the port."""
        async with self._database.transaction() as connection:
            await connection.execute(_BEGIN, (upload.id, upload.key, upload.begun_at))

    async def end(self, upload_id: UUID, event: WebhookEvent | None) -> None:
        """See the port."""
        async with self._database.transaction() as connection:
            await connection.execute(_END, (upload_id,))
            if event is not None:
                await publish(connection, event)

    async def begun_before(self, moment: datetime, *, limit: int) -> Sequence[Upload]:
        """See the port."""
        async with self._database.transaction() as connection:
            rows = await (await connection.execute(_BEGUN_BEFORE, (moment, limit))).fetchall()
        return [Upload(id=row[0], key=row[1], begun_at=row[2]) for row in rows]
