"""What the ledger does with messages that are processed as one."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Protocol
from uuid import UUID

from application.ports.ledger import Settled
from domain.message import Settlement


class GroupLedger(Protocol):
    """The same ledger as ``Ledger``, each call one transaction; raises Unavailable as that does."""

    async def settle_together(self, settlements: Sequence[Settlement], *, now: datetime) -> Sequence[Settled]:
        """Settle messages of one execution that were processed as one, each as done or skipped: all of them or none.

        Answers in the order asked. When one of the claims does not hold, nothing is done and no settlement is accepted,
        unless all of them were accepted before; then they are again. Otherwise as ``settle`` does; no child is born
        claimed.
        """
        ...

    async def still_to_come(
        self, execution_id: UUID, route_id: str, *, owner: UUID, apart_from: Collection[str], limit: int
    ) -> int:
        """How many unsettled messages there are that are, or may lead to, messages for an owner's part of a route.

        Those of other routes, ``apart_from`` those named; those that are queued on the route, due or not; and those
        that the owner has claimed on it. Counted up to ``limit``.
        """
        ...
