"""A message as the ledger in memory keeps it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from domain.json import JsonObject
from domain.message import Message, MessageState


@dataclass(slots=True, kw_only=True)
class MessageRow:
    """The message, and how it stands."""

    message: Message
    position: int
    state: MessageState = MessageState.QUEUED
    attempt: int = 0
    retries: int = 0
    crashes: int = 0
    token: UUID | None = None
    owner: UUID | None = None
    not_before: datetime | None = None
    error: JsonObject | None = None
    settled_at: datetime | None = None

    def is_due(self, now: datetime) -> bool:
        return self.state is MessageState.QUEUED and (self.not_before is None or self.not_before <= now)
