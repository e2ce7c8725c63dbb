"""What messages an execution has had, from a ledger and lineage in memory."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from uuid import UUID

from application.ports.lineage import LineageQuery, LineageReader
from application.ports.message_history import HistoryCursor, HistoryPage, StageSeen
from domain.lineage import LineageEntry
from domain.message import Message

_ALL = 1_000_000


class MemoryMessageHistory:
    """``message`` finds a message of the ledger by its id, None when it is gone or was purged."""

    def __init__(self, lineage: LineageReader, message: Callable[[UUID], Message | None]) -> None:
        self._lineage = lineage
        self._message = message

    async def stages(self, execution_id: UUID) -> Sequence[StageSeen]:
        """See the port."""
        entries = await self._entries(execution_id, None)
        found = {(entry.route_id, entry.stage_name, entry.adapter_name) for entry in entries}
        return [
            StageSeen(route_id=route, stage=stage, adapter=adapter) for route, stage, adapter in sorted(found)
        ]

    async def page(
        self,
        execution_id: UUID,
        route_id: str,
        *,
        stage: str | None,
        after: HistoryCursor | None = None,
        limit: int,
    ) -> HistoryPage:
        """See the port."""
        named = [
            entry
            for entry in await self._entries(execution_id, route_id)
            if stage is None or stage in {entry.stage_name, entry.adapter_name}
            if after is None or (entry.started_at, entry.id) > (after.at, after.entry_id)
        ][:limit]
        wanted = list(dict.fromkeys(entry.message_id for entry in named))
        found = {id_: message for id_ in wanted if (message := self._message(id_)) is not None}
        last = named[-1] if len(named) == limit else None
        return HistoryPage(
            messages=list(found.values()),
            gone=[id_ for id_ in wanted if id_ not in found],
            following=None if last is None else HistoryCursor(at=last.started_at, entry_id=last.id),
        )

    async def _entries(self, execution_id: UUID, route_id: str | None) -> Sequence[LineageEntry]:
        query = LineageQuery(execution_id=execution_id, route_id=route_id, limit=_ALL)
        entries, _ = await self._lineage.list(query)
        return entries
