"""Forgets payloads that were kept in storage, once their executions are forgotten."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from application.ports.object_storage import ObjectStorage
from application.ports.unit_of_work import UnitOfWork
from domain.claim_check import PAYLOADS, execution_of_key
from domain.execution import ExecutionNotFound
from domain.storage import StoredObject


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptPayloads:
    """The payloads of messages under ``payloads/``: those of one execution stay as long as that is known.

    Also gone in the end is what an attempt kept that died before its settlement, and what a start kept that was refused.
    """

    storage: ObjectStorage
    work: UnitOfWork

    async def forget(self, *, before: datetime, limit: int) -> int:
        """Delete up to so many that are older and whose execution is forgotten; returns how many."""
        after, count = PAYLOADS, 0
        while count < limit and (found := await self._first(after)) is not None:
            execution_id = execution_of_key(found.key)
            if execution_id is None or found.modified_at >= before or await self._is_known(execution_id):
                after = _end_of(found.key)
            elif await self.storage.delete(found.key):
                count += 1
        return count

    async def _first(self, after: str) -> StoredObject | None:
        async for stored in self.storage.list(PAYLOADS, after=after):
            return stored
        return None

    async def _is_known(self, execution_id: UUID) -> bool:
        try:
            async with self.work.reading() as work:
                await work.executions.get(execution_id)
        except ExecutionNotFound:
            return False
        return True


def _end_of(key: str) -> str:
    """What sorts after every key of the same execution: the character after the slash."""
    return PAYLOADS + key.removeprefix(PAYLOADS).partition("/")[0] + "0"
