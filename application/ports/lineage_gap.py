"""Finds the messages that the ledger has settled and of which lineage lacks entries, and fills in what is known of them."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol
from uuid import UUID

from domain.expected_lineage import ExpectedSteps
from domain.lineage import LineageEntry
from domain.unrecorded_message import UnrecordedMessage


@dataclass(frozen=True, slots=True, kw_only=True)
class RouteGap:
    """Of a route's messages: how many are settled as done, skipped or dead, and how many of them lineage lacks."""

    route_id: str
    settled: int
    missing: int


class LineageGap(Protocol):
    """Compares ledger and lineage.

    Lineage lacks a message when it was claimed and is settled as done, skipped or dead, and the ended entries of its last
    attempt are not all that ``expected`` says of its route (``ExpectedSteps.are_lacking``), or its children came from
    an entry that is not there. Of a route that ``expected`` does not have, one entry is enough. A cancelled message may
    have been stopped before its first adapter: it is never missed.
    """

    async def count(self, execution_id: UUID, expected: Mapping[str, ExpectedSteps]) -> Sequence[RouteGap]:
        """Per route with settled messages, by route id."""
        ...

    def missing(
        self, execution_id: UUID, expected: Mapping[str, ExpectedSteps]
    ) -> AsyncGenerator[Sequence[UnrecordedMessage], None]:
        """Every message that lineage lacks, some hundreds at a time; what is filled in meanwhile may still come."""
        ...

    async def fill(self, entries: Sequence[LineageEntry]) -> int:
        """Write those entries whose ids lineage does not have, and no other; returns how many."""
        ...
