"""Messages that are settled as one, over a ledger in memory."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from uuid import UUID

from adapters.memory import unsettled
from adapters.memory.ledger import MemoryLedger
from application.ports.ledger import Settled
from domain.message import MessageState, Settlement, hold_together


class MemoryGroupLedger:
    """The ``GroupLedger`` port over the rows of a ``MemoryLedger``: two sides of one double."""

    def __init__(self, ledger: MemoryLedger) -> None:
        self._ledger = ledger

    async def settle_together(self, settlements: Sequence[Settlement], *, now: datetime) -> Sequence[Settled]:
        """See the port."""
        if hold_together([self._held_state(settlement) for settlement in settlements]):
            return await self._ledger.settle(settlements, now=now)
        return [Settled(message_id=settlement.message_id, accepted=False) for settlement in settlements]

    async def still_to_come(
        self, execution_id: UUID, route_id: str, *, owner: UUID, apart_from: Collection[str], limit: int
    ) -> int:
        """See the port."""
        coming = unsettled.still_to_come(
            self._ledger._of_execution(execution_id),  # noqa: SLF001 (see above)
            route_id,
            owner=owner,
            apart_from=apart_from,
        )
        return min(limit, coming)

    def _held_state(self, settlement: Settlement) -> MessageState | None:
        row = self._ledger._rows.get(settlement.message_id)  # noqa: SLF001 (see above)
        return row.state if row is not None and row.token == settlement.token else None
