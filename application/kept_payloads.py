"""Forgets payloads that were kept in storage, once their executions are forgotten."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from application.ports.object_storage import ObjectStorage
from application.ports.unit_of_work import UnitOfWork
from domain.claim_check import PAYLOADS, execution_of_key
from domain.execution import ExecutionNotFound


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptPayloads:
    """The payloads of messages under ``payloads/``: those of one execution stay as long as that is known.

    Also gone in the end is what an attempt kept that died before its settlement, and what a start kept that was refused.
    """

    storage: ObjectStorage
    work: UnitOfWork

    async def forget(self, *, before: datetime, limit: int) -> int:
        """Delete up to so many that are older and whose execution is forgotten; returns how many."""
        after: str | None = PAYLOADS
        count = 0
        while after is not None and count < limit:
            deleted, after = await self._forget_after(after, before, limit - count)
            count += deleted
        return count

    async def _forget_after(self, after: str, before: datetime, limit: int) -> tuple[int, str | None]:
        """Delete up to what is to stay; returns how many, and after which key to go on, None at the end."""
        count = 0
        forgotten: UUID | None = None
        listing = self.storage.list(PAYLOADS, after=after)
        try:
            async for found in listing:
                execution_id = execution_of_key(found.key)
                if execution_id is None or found.modified_at >= before:
                    return count, _end_of(found.key)
                if execution_id != forgotten and await self._is_known(execution_id):
                    return count, _end_of(found.key)
                forgotten = execution_id
                count += await self.storage.delete(found.key)
                if count == limit:
                    break
        finally:
            if isinstance(listing, AsyncGenerator):
                await listing.aclose()
        return count, None

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
