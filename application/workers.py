"""The processes that work on one service's executions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from application.ports.clock import Clock
from application.ports.leases import Lease, Leases


@dataclass(frozen=True, slots=True, kw_only=True)
class Workers:
    """Who is alive: servers and workers that share a database. ``owner`` is this process."""

    leases: Leases
    clock: Clock
    owner: UUID

    async def alive(self) -> Sequence[Lease]:
        """The leases that have not run out, those of the eldest processes first."""
        return await self.leases.holders(now=self.clock.now())
