"""Finds the messages that the ledger has settled and lineage knows nothing of, and fills in what is known of them."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol
from uuid import UUID

from domain.json import JsonObject
from domain.lineage import LineageEntry
from domain.message import Message, MessageState


@dataclass(frozen=True, slots=True, kw_only=True)
class RouteGap:
    """Of a route's messages: how many are settled as done, skipped or dead, and how many of them lineage lacks."""

    route_id: str
    settled: int
    missing: int


@dataclass(frozen=True, slots=True, kw_only=True)
class UnrecordedMessage:
    """A message that lineage lacks, as the ledger has it.

    ``last_correlation_id`` is the attempt's last entry as its children name it, None when it has no children.
    """

    message: Message
    state: MessageState
    attempt: int
    settled_at: datetime
    error: JsonObject | None = None
    last_correlation_id: UUID | None = None


class LineageGap(Protocol):
    """Compares ledger and lineage.

    Lineage lacks a message when it was claimed and is settled as done, skipped or dead, and its last attempt has no
    entry that has ended. A cancelled message may have been stopped before its first adapter: it is never missed.
    """

    async def count(self, execution_id: UUID) -> Sequence[RouteGap]:
        """Per route with settled messages, by route id."""
        ...

    def missing(self, execution_id: UUID) -> AsyncGenerator[Sequence[UnrecordedMessage], None]:
        """Every message that lineage lacks, some hundreds at a time; what is filled in meanwhile may still come."""
        ...

    async def fill(self, entries: Sequence[LineageEntry]) -> int:
        """Write those entries whose ids lineage does not have, and no other; returns how many."""
        ...
