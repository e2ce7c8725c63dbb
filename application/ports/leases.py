"""Which workers are alive."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol
from uuid import UUID


class Leases(Protocol):
    """One lease per worker process; a worker whose lease has run out counts as gone."""

    async def hold(self, owner: UUID, *, until: datetime) -> None:
        """Take or renew the owner's lease up to a moment."""
        ...

    async def give_up(self, owner: UUID) -> None:
        """End the owner's lease now; without one this changes nothing."""
        ...

    async def holders(self, *, now: datetime) -> Sequence[UUID]:
        """The owners whose leases have not run out."""
        ...
