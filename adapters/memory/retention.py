"""Forgets old executions and lineage, in memory."""

from __future__ import annotations

from datetime import datetime

from adapters.memory.chat_threads import ChatStore
from adapters.memory.ledger import MemoryLedger
from adapters.memory.lineage import MemoryLineage
from domain.execution import Execution


class MemoryRetention:
    """The ``Retention`` port over a ledger, lineage and threads; pauses are fields of what is forgotten."""

    def __init__(self, ledger: MemoryLedger, lineage: MemoryLineage, chat: ChatStore) -> None:
        self._ledger = ledger
        self._lineage = lineage
        self._chat = chat

    async def forget_executions(self, *, before: datetime, limit: int) -> int:
        """See the port."""
        old = [one.id for one in self._ledger.executions.values() if _is_old(one, before)]
        messages = [(one, message) for one in old for message in self._ledger._of.get(one, {})][:limit]  # noqa: SLF001 (one double in several files)
        for execution_id, message_id in messages:
            del self._ledger._rows[message_id]  # noqa: SLF001
            del self._ledger._of[execution_id][message_id]  # noqa: SLF001
        if messages:
            return len(messages)
        for execution_id in old[:limit]:
            del self._ledger.executions[execution_id]
        return len(old[:limit])

    async def forget_lineage(self, *, before: datetime, limit: int) -> int:
        """See the port."""
        known = self._ledger.executions
        entries = self._lineage.begun_before(before)
        old = [one for one in entries if one.execution_id not in known][:limit]
        for entry in old:
            self._lineage.forget(entry)
        return len(old)

    async def forget_threads(self, *, before: datetime, limit: int) -> int:
        """See the port."""
        old = [one.id for one in self._chat.threads.values() if one.updated_at < before][:limit]
        for thread_id in old:
            self._chat.forget(thread_id)
        return len(old)


def _is_old(execution: Execution, before: datetime) -> bool:
    ended_at = execution.completed_at
    has_ended = execution.status.is_terminal and not execution.counts.outstanding
    return has_ended and ended_at is not None and ended_at < before
