"""Which workers are alive, and which executions they run."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol
from uuid import UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class Lease:
    """A worker that counts as alive, and the executions that had processors there when it last renewed its lease."""

    owner: UUID
    executions: frozenset[UUID] = frozenset()


class Leases(Protocol):
    """One lease per worker process; a worker whose lease has run out counts as gone."""

    async def hold(self, owner: UUID, *, until: datetime, executions: Collection[UUID] = ()) -> None:
        """Take or renew the owner's lease up to a moment, and state which executions it runs, in place of before."""
        ...

    async def give_up(self, owner: UUID) -> None:
        """End the owner's lease now; without one this changes nothing."""
        ...

    async def holders(self, *, now: datetime) -> Sequence[Lease]:
        """The leases that have not run out."""
        ...

    async def forget(self, *, before: datetime) -> None:
        """Drop the leases that ran out before a moment; whoever comes back takes a new one."""
        ...
