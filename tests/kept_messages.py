"""Looks up the messages of a ledger in memory, which its ports do not tell of."""

from __future__ import annotations

from collections.abc import Callable
from uuid import UUID

from adapters.memory.ledger import MemoryLedger
from domain.message import Message


def kept_in(ledger: MemoryLedger) -> Callable[[UUID], Message | None]:
    """Finds a message by its id, whatever its state, unless it was purged."""

    def message(message_id: UUID) -> Message | None:
        row = ledger._rows.get(message_id)
        return None if row is None or row.purged_at is not None else row.message

    return message
