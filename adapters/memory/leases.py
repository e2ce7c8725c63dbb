"""Workers' leases in memory."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID


class MemoryLeases:
    """The ``Leases`` port over a dictionary."""

    def __init__(self) -> None:
        self._until: dict[UUID, datetime] = {}

    async def hold(self, owner: UUID, *, until: datetime) -> None:
        """See the port."""
        self._until[owner] = until

    async def give_up(self, owner: UUID) -> None:
        """See the port."""
        self._until.pop(owner, None)

    async def holders(self, *, now: datetime) -> Sequence[UUID]:
        """See the port."""
        return [owner for owner, until in self._until.items() if until > now]
