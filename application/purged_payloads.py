"""Erases the payloads that purged dead letters have left in storage."""

from __future__ import annotations

from dataclasses import dataclass

from application.ports.dead_letters import DeadLetters
from application.ports.object_storage import ObjectStorage

AT_ONCE = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class PurgedPayloads:
    """The payloads kept apart of dead letters that are purged.

    The purge remembers each with its own transaction and this forgets it only when it is gone, so that none outlives a
    failure of storage or of the process that purged it. To erase one twice does no harm.
    """

    letters: DeadLetters
    storage: ObjectStorage

    async def erase(self) -> int:
        """Delete all that are left; returns how many. Raises Unavailable; then what is left stays remembered."""
        count = 0
        keys = await self.letters.unerased(limit=AT_ONCE)
        while keys:
            for key in keys:
                await self.storage.delete(key)
            count += len(keys)
            keys = await self.letters.unerased(limit=AT_ONCE, erased=keys)
        return count
