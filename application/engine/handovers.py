"""Hands children on to the routes of this process as they come into being, where these have room."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from uuid import UUID

from application.engine.weight import weight_of
from application.ports.ledger import Handover, Settled
from domain.message import Message

if TYPE_CHECKING:
    from application.engine.route_processor import RouteProcessor


@dataclass(slots=True, kw_only=True)
class Reservation:
    """Room kept for children that are about to be born: by message id who takes it, and how much it weighs."""

    by_id: dict[UUID, tuple[RouteProcessor, int]] = field(default_factory=dict)

    def handover(self, owner: UUID) -> Handover | None:
        """What to ask the ledger for."""
        return Handover(owner=owner, message_ids=self.by_id.keys()) if self.by_id else None

    def fulfil(self, answers: Iterable[tuple[Settled, UUID]]) -> None:
        """Give what was born claimed, under the token beside it, to those who kept room."""
        for settled, token in answers:
            for taker, messages in self._by_taker(settled.handed_over):
                taker.take_over(messages, token)
        self.cancel()

    def cancel(self) -> None:
        """Give the room back."""
        for taker, weight in self.by_id.values():
            taker.inbox.unreserve(weight)
        self.by_id = {}

    def abandon(self, execution_id: UUID, token: UUID) -> None:
        """Give the room back when nobody will see the answer: what is born claimed all the same is put back."""
        for message_id, (taker, _) in self.by_id.items():
            taker.put_back(message_id, execution_id, token)
        self.cancel()

    def _by_taker(self, messages: Sequence[Message]) -> Iterable[tuple[RouteProcessor, Sequence[Message]]]:
        grouped: dict[int, tuple[RouteProcessor, list[Message]]] = {}
        for message in messages:
            taker, _ = self.by_id[message.id]
            grouped.setdefault(id(taker), (taker, []))[1].append(message)
        return grouped.values()


def reserve(children: Iterable[Message], taker_of: Callable[[Message], RouteProcessor | None]) -> Reservation:
    """Keep room for those of the children that can be handed over."""
    reservation = Reservation()
    for child in children:
        if child.id in reservation.by_id:
            # Emitted twice under one key: it is one child, and needs room once.
            continue
        taker, weight = taker_of(child), weight_of(child)
        if taker is not None and taker.takes_over and taker.inbox.reserve(weight):
            reservation.by_id[child.id] = taker, weight
    return reservation
