"""A settled message of which lineage says less than it should."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from domain.json import JsonObject
from domain.message import Message, MessageState


@dataclass(frozen=True, slots=True, kw_only=True)
class UnrecordedMessage:
    """A message that lineage lacks in part or as a whole, as the ledger has it.

    ``handled`` are the places of the pipeline adapters of whose work in the last attempt an entry tells, ``named`` the
    entries that its children came from; ``stands_for_group`` when an entry says that it stood for one. The payload is
    not known of a purged dead letter, nor where storage has lost it.
    """

    message: Message
    state: MessageState
    attempt: int
    settled_at: datetime
    error: JsonObject | None = None
    named: frozenset[UUID] = frozenset()
    handled: frozenset[int] = frozenset()
    stands_for_group: bool = False
    is_payload_known: bool = True
