"""Lineage: what happened to every message at every pipeline adapter."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from domain.errors import NotFound
from domain.json import JsonObject
from domain.values import quickly_made


class LineageEntryNotFound(NotFound):
    """There is no lineage entry with that correlation id."""

    code = "lineage_entry_not_found"


class LineagePathNotFound(NotFound):
    """No path joins the two lineage entries."""

    code = "lineage_path_not_found"


REPAIRED = "repaired"
"""The key of the metadata that marks an entry which was not recorded but worked out afterwards from the ledger."""

MESSAGE_CHARACTERS = 300
NAMES_AND_NUMBERS = (
    (r"https?://[^\s\"'<>]+", "<url>"),
    (r'"[^"]*"', '"…"'),
    (r"[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}", "<id>"),
    (r"0x[0-9a-fA-F]+|[0-9a-fA-F]{16,}", "<hex>"),
    (r"[0-9]+", "<n>"),
)
"""What is peculiar to one failure in its message, and what stands for it: regular expressions, in this order.

They are written so that Python and PostgreSQL read them alike.
"""


def normalised_message(message: str) -> str:
    """What a failure's message has in common with its like: without addresses, quotations, ids and numbers."""
    for pattern, placeholder in NAMES_AND_NUMBERS:
        message = re.sub(pattern, placeholder, message)
    return message[:MESSAGE_CHARACTERS]


class StageStatus(StrEnum):
    """How an entry stands; the values are those of the wire."""

    PENDING = "pending"
    INITIATED = "initiated"
    PROCESSING = "processing"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def is_final(self) -> bool:
        """Whether the handling has ended."""
        return self in _FINAL

    def may_be_replaced_by(self, later: StageStatus) -> bool:
        """Whether an entry in this status gives way to one of the same id in the other: never back in time."""
        return _RANK[self] <= _RANK[later]


_FINAL = frozenset({StageStatus.COMPLETED, StageStatus.FAILED, StageStatus.CANCELLED})
_RANK = {status: 3 if status in _FINAL else rank for rank, status in enumerate(StageStatus)}


@quickly_made
@dataclass(frozen=True, slots=True, kw_only=True)
class LineageEntry:
    """One message at one pipeline adapter in one attempt.

    ``id`` is its correlation id (``domain.message.correlation_id``), so that writing it twice is harmless.
    Its parent is the entry before it in the route, or the attempt that emitted the message. Of messages that were
    collected into a group one stands for all: ``collected_into`` is that one's entry, None for itself, and whatever came
    of the group came from it. So an entry came from its parent and from those that were collected into it.
    ``stage_name`` is the stage the adapter wrote, else the adapter's name. Hashes are hex BLAKE2b-128
    of the JSON: of the input where a message enters its route, of the output where it leaves.
    """

    id: UUID
    parent_id: UUID | None
    execution_id: UUID
    message_id: UUID
    route_id: str
    adapter_name: str
    adapter_index: int
    attempt: int
    stage_name: str
    status: StageStatus
    started_at: datetime
    completed_at: datetime | None = None
    input_hash: str | None = None
    output_hash: str | None = None
    replay_batch_id: UUID | None = None
    metadata: JsonObject = field(default_factory=dict)
    error: JsonObject | None = None
    collected_into: UUID | None = None

    @property
    def duration_ms(self) -> float | None:
        """Milliseconds from start to end; None while it runs, and where the entry was worked out afterwards."""
        if self.completed_at is None or REPAIRED in self.metadata:
            return None
        return (self.completed_at - self.started_at).total_seconds() * 1000
