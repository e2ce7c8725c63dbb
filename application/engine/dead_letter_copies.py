"""Tells of dead letters under the name that a pipeline gives for them."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass, field

from application.engine.claim_check import checked_out
from application.engine.ports import EnginePorts
from domain.json import JsonObject
from domain.message import Claim, Outcome, Settlement
from domain.pipeline import Route

log = logging.getLogger(__name__)

MOST_AT_ONCE = 1000


def dead_letter_copy(claim: Claim, settlement: Settlement, *, dead_at: str) -> JsonObject:
    """What is told of a dead letter: the message as it was, why it is dead, and after how many attempts."""
    message = claim.message
    return {
        "type": "dead_letter",
        "message_id": str(message.id),
        "execution_id": str(message.execution_id),
        "route_id": message.route_id,
        "payload": message.payload,
        "metadata": message.metadata,
        "error": settlement.error or {},
        "attempts": claim.attempt,
        "dead_at": dead_at,
    }


@dataclass(slots=True, kw_only=True)
class DeadLetterCopies:
    """Broadcasts a copy of each dead letter of a route that names a ``dead_letter_queue``.

    The row in the ledger is the dead letter, and the copy is for whoever listens at that moment: at most once, holding
    up nothing, failing nothing.
    """

    ports: EnginePorts
    route: Route
    _sending: set[asyncio.Task[None]] = field(default_factory=set)

    def after(self, claim: Claim, settlement: Settlement) -> None:
        """See to a message that is settled."""
        name = self.route.error_handling.dead_letter_queue
        if name is None or settlement.outcome is not Outcome.DEAD or len(self._sending) >= MOST_AT_ONCE:
            return
        copy = dead_letter_copy(claim, settlement, dead_at=self.ports.clock.now().isoformat())
        task = asyncio.create_task(self._send(name, claim, copy), name=f"dead letter of {self.route.id}")
        self._sending.add(task)
        task.add_done_callback(self._sending.discard)

    async def _send(self, name: str, claim: Claim, copy: JsonObject) -> None:
        try:
            message = await checked_out(self.ports.storage, claim.message)
            await self.ports.queue.broadcast(name, {**copy, "payload": message.payload})
        except Exception as error:  # noqa: BLE001 (a copy is a courtesy: nothing may fail by it)
            log.warning("no copy of dead letter %s was sent to %s: %s", copy["message_id"], name, error)
