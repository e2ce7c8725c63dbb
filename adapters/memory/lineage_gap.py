"""Compares a ledger and lineage, both in memory."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import AsyncGenerator, Collection, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from uuid import UUID

from adapters.memory.ledger import MemoryLedger
from adapters.memory.lineage import MemoryLineage
from adapters.memory.message_row import MessageRow
from application.ports.lineage_gap import RouteGap
from domain.expected_lineage import ExpectedSteps, failed_at
from domain.lineage import REPAIRED, LineageEntry
from domain.message import MessageState
from domain.unrecorded_message import UnrecordedMessage

PAGE = 500
_EXPECTED = (MessageState.DONE, MessageState.SKIPPED, MessageState.DEAD)


class MemoryLineageGap:
    """Goes through every message for each answer."""

    def __init__(self, ledger: MemoryLedger, lineage: MemoryLineage) -> None:
        # The rows of the ledger, which has no other way to tell of a message once it is settled.
        self._rows = ledger._rows  # noqa: SLF001 (one double in several files)
        self._lineage = lineage

    async def count(self, execution_id: UUID, expected: Mapping[str, ExpectedSteps]) -> Sequence[RouteGap]:
        """See the port."""
        settled = Counter(one.message.route_id for one in self._settled(execution_id, expected))
        missing = Counter(one.message.route_id for one in self._unrecorded(execution_id, expected))
        return [
            RouteGap(route_id=route_id, settled=count, missing=missing[route_id])
            for route_id, count in sorted(settled.items())
        ]

    async def missing(
        self, execution_id: UUID, expected: Mapping[str, ExpectedSteps]
    ) -> AsyncGenerator[Sequence[UnrecordedMessage], None]:
        """See the port."""
        found = self._unrecorded(execution_id, expected)
        for start in range(0, len(found), PAGE):
            yield found[start : start + PAGE]

    async def fill(self, entries: Sequence[LineageEntry]) -> int:
        """See the port."""
        new = {entry.id: entry for entry in entries if not self._lineage.has(entry.id)}
        for entry in new.values():
            self._lineage.record(entry)
        return len(new)

    def _unrecorded(
        self, execution_id: UUID, expected: Mapping[str, ExpectedSteps]
    ) -> Sequence[UnrecordedMessage]:
        return [
            one
            for one in self._settled(execution_id, expected)
            if expected.get(one.message.route_id, ExpectedSteps()).are_lacking(
                one.state,
                one.handled,
                failed_at=failed_at(one.error) if one.state is MessageState.DEAD else None,
                stands_for_group=one.stands_for_group,
            )
            or not all(map(self._lineage.has, one.named))
        ]

    def _settled(
        self, execution_id: UUID, expected: Mapping[str, ExpectedSteps]
    ) -> Sequence[UnrecordedMessage]:
        collecting = {route_id for route_id, steps in expected.items() if steps.collects}
        rows = [row for row in self._rows.values() if row.message.execution_id == execution_id]
        named: defaultdict[UUID | None, set[UUID]] = defaultdict(set)
        for row in rows:
            if row.message.parent_correlation_id is not None:
                named[row.message.parent_id].add(row.message.parent_correlation_id)
        ended: defaultdict[tuple[UUID, int], list[LineageEntry]] = defaultdict(list)
        for entry in self._lineage.of(execution_id):
            if entry.status.is_final:
                ended[entry.message_id, entry.attempt].append(entry)
        return [
            _as_kept(
                row,
                named[row.message.id],
                ended[row.message.id, row.attempt],
                settled_at=row.settled_at,
                collects=row.message.route_id in collecting,
            )
            for row in rows
            if row.state in _EXPECTED and row.attempt and row.settled_at is not None
        ]


def _as_kept(
    row: MessageRow,
    named: Collection[UUID],
    ended: Collection[LineageEntry],
    *,
    settled_at: datetime,
    collects: bool,
) -> UnrecordedMessage:
    is_purged = row.purged_at is not None
    return UnrecordedMessage(
        message=replace(row.message, payload={}, metadata={}) if is_purged else row.message,
        state=row.state,
        attempt=row.attempt,
        settled_at=settled_at,
        error=None if is_purged else row.error,
        named=frozenset(named),
        handled=frozenset(entry.adapter_index for entry in ended),
        stands_for_group=collects and any(map(_stands_for_group, ended)),
        is_payload_known=not is_purged,
    )


def _stands_for_group(entry: LineageEntry) -> bool:
    """Whether nothing was collected into another message here; one that was worked out does not say."""
    return entry.adapter_index == 0 and entry.collected_into is None and REPAIRED not in entry.metadata
