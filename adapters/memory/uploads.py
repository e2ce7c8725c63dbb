"""Uploads under way, in memory."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from adapters.memory.webhook_store import WebhookStore
from domain.storage import Upload
from domain.webhooks.event import WebhookEvent


@dataclass(slots=True)
class MemoryUploads:
    """The ``Uploads`` port over a dictionary and the webhooks' store."""

    store: WebhookStore = field(default_factory=WebhookStore)
    _begun: dict[UUID, Upload] = field(default_factory=dict)

    async def begin(self, upload: Upload) -> None:
        """See the port."""
        self._begun.setdefault(upload.id, upload)

    async def end(self, upload_id: UUID, event: WebhookEvent | None) -> None:
        """See the port."""
        self._begun.pop(upload_id, None)
        if event is not None:
            self.store.publish(event)

    async def begun_before(self, moment: datetime, *, limit: int) -> Sequence[Upload]:
        """See the port."""
        begun = (one for one in self._begun.values() if one.begun_at < moment)
        return sorted(begun, key=lambda one: one.begun_at)[:limit]
