"""A message as the ledger in memory keeps it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from application.ports.ledger import Handover, Settled
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
    purged_at: datetime | None = None

    def is_due(self, now: datetime) -> bool:
        return self.state is MessageState.QUEUED and (self.not_before is None or self.not_before <= now)

    def is_claimed_by(self, owner: UUID, token: UUID) -> bool:
        return (self.state, self.owner, self.token) == (MessageState.CLAIMED, owner, token)


def with_children(
    settled: Settled,
    children: Sequence[Message],
    rows: Mapping[UUID, MessageRow],
    token: UUID,
    handover: Handover | None,
) -> Settled:
    """The answer with its children, apart those that are claimed under the token for the handover's owner."""
    handed_over = {
        child.id
        for child in children
        if handover
        and child.id in handover.message_ids
        and rows[child.id].is_claimed_by(handover.owner, token)
    }
    return replace(
        settled,
        published=[child for child in children if child.id not in handed_over],
        handed_over=[child for child in children if child.id in handed_over],
    )
