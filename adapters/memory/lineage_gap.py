"""Compares a ledger and lineage, both in memory."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncGenerator, Sequence
from uuid import UUID

from adapters.memory.ledger import MemoryLedger
from adapters.memory.lineage import MemoryLineage
from application.ports.lineage_gap import RouteGap, UnrecordedMessage
from domain.lineage import LineageEntry
from domain.message import MessageState

PAGE = 500
_EXPECTED = (MessageState.DONE, MessageState.SKIPPED, MessageState.DEAD)


class MemoryLineageGap:
    """Goes through every message for each answer."""

    def __init__(self, ledger: MemoryLedger, lineage: MemoryLineage) -> None:
        # The rows of the ledger, which has no other way to tell of a message once it is settled.
        self._rows = ledger._rows  # noqa: SLF001 (one double in several files)
        self._lineage = lineage

    async def count(self, execution_id: UUID) -> Sequence[RouteGap]:
        """See the port."""
        settled = Counter(one.message.route_id for one in self._settled(execution_id))
        missing = Counter(one.message.route_id for one in self._unrecorded(execution_id))
        return [
            RouteGap(route_id=route_id, settled=count, missing=missing[route_id])
            for route_id, count in sorted(settled.items())
        ]

    async def missing(self, execution_id: UUID) -> AsyncGenerator[Sequence[UnrecordedMessage], None]:
        """See the port."""
        found = self._unrecorded(execution_id)
        for start in range(0, len(found), PAGE):
            yield found[start : start + PAGE]

    async def fill(self, entries: Sequence[LineageEntry]) -> int:
        """See the port."""
        new = {entry.id: entry for entry in entries if not self._lineage.has(entry.id)}
        for entry in new.values():
            self._lineage.record(entry)
        return len(new)

    def _unrecorded(self, execution_id: UUID) -> Sequence[UnrecordedMessage]:
        ended = {
            (entry.message_id, entry.attempt)
            for entry in self._lineage.of(execution_id)
            if entry.status.is_final
        }
        return [one for one in self._settled(execution_id) if (one.message.id, one.attempt) not in ended]

    def _settled(self, execution_id: UUID) -> Sequence[UnrecordedMessage]:
        rows = [row for row in self._rows.values() if row.message.execution_id == execution_id]
        last = {row.message.parent_id: row.message.parent_correlation_id for row in rows}
        return [
            UnrecordedMessage(
                message=row.message,
                state=row.state,
                attempt=row.attempt,
                settled_at=row.settled_at,
                error=row.error,
                last_correlation_id=last.get(row.message.id),
            )
            for row in rows
            if row.state in _EXPECTED and row.attempt and row.settled_at is not None
        ]
