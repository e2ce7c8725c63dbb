"""Uploads that have begun, so that each that was completed is told of whatever dies when."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol
from uuid import UUID

from domain.storage import Upload
from domain.webhooks.event import WebhookEvent


class Uploads(Protocol):
    """Remembers uploads from before the first byte is stored until what came of them has been told.

    Raises Unavailable when the store cannot be reached.
    """

    async def begin(self, upload: Upload) -> None:
        """Remember an upload; again changes nothing."""
        ...

    async def end(self, upload_id: UUID, event: WebhookEvent | None) -> None:
        """Forget an upload, and publish the event in the same transaction if there is one.

        An event of an id that was published before is not published again, and an upload may be forgotten already: of
        several who end it, each may.
        """
        ...

    async def begun_before(self, moment: datetime, *, limit: int) -> Sequence[Upload]:
        """Up to ``limit`` uploads that began before a moment and are not forgotten, the earliest first."""
        ...
