"""Which workers are alive, what they tell of themselves, and which executions they run."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol
from uuid import UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerFacts:
    """What a process tells of itself: what people call it, where it is, since when, and how much it has in hand.

    ``takes_messages`` is False for a server that answers requests and runs no routes.
    """

    name: str = ""
    host: str = ""
    pid: int = 0
    since: datetime | None = None
    takes_messages: bool = True
    in_hand: int = 0


UNKNOWN = WorkerFacts()
"""What is known of a worker that tells nothing of itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Lease:
    """A worker that counts as alive, and the executions that had processors there when it last renewed its lease."""

    owner: UUID
    executions: frozenset[UUID] = frozenset()
    worker: WorkerFacts = UNKNOWN
    until: datetime | None = field(default=None, compare=False)


class Leases(Protocol):
    """One lease per worker process; a worker whose lease has run out counts as gone."""

    async def hold(
        self,
        owner: UUID,
        *,
        until: datetime,
        executions: Collection[UUID] = (),
        worker: WorkerFacts = UNKNOWN,
    ) -> None:
        """Take or renew the owner's lease up to a moment, and state what it runs and is, in place of before."""
        ...

    async def give_up(self, owner: UUID) -> None:
        """End the owner's lease now; without one this changes nothing."""
        ...

    async def holders(self, *, now: datetime) -> Sequence[Lease]:
        """The leases that have not run out, those of the eldest owners first."""
        ...

    async def forget(self, *, before: datetime) -> None:
        """Drop the leases that ran out before a moment; whoever comes back takes a new one."""
        ...
