"""Workers' leases in memory."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from uuid import UUID

from application.ports.leases import UNKNOWN, Lease, WorkerFacts


class MemoryLeases:
    """The ``Leases`` port over a dictionary."""

    def __init__(self) -> None:
        self._held: dict[UUID, tuple[datetime, Lease]] = {}

    async def hold(
        self,
        owner: UUID,
        *,
        until: datetime,
        executions: Collection[UUID] = (),
        worker: WorkerFacts = UNKNOWN,
    ) -> None:
        """See the port."""
        lease = Lease(owner=owner, executions=frozenset(executions), worker=worker, until=until)
        self._held[owner] = until, lease

    async def give_up(self, owner: UUID) -> None:
        """See the port."""
        self._held.pop(owner, None)

    async def holders(self, *, now: datetime) -> Sequence[Lease]:
        """See the port."""
        return [lease for _, (until, lease) in sorted(self._held.items()) if until > now]

    async def forget(self, *, before: datetime) -> None:
        """See the port."""
        self._held = {owner: held for owner, held in self._held.items() if held[0] >= before}
