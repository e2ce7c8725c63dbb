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
        known, messages_of = self._ledger.executions, self._ledger._of  # noqa: SLF001 (one double in several files)
        old = [one.id for one in known.values() if _is_old(one, before)][:limit]
        for execution_id in old:
            del known[execution_id]
        if old:
            return len(old)
        left = [(one, message) for one in messages_of if one not in known for message in messages_of[one]][
            :limit
        ]
        for execution_id, message_id in left:
            del self._ledger._rows[message_id]  # noqa: SLF001
            del messages_of[execution_id][message_id]
        return len(left)

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
