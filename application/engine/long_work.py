"""Acknowledges early what takes long, before a broker cuts off the consumer that holds it."""

from __future__ import annotations

from collections.abc import Set as AbstractSet
from dataclasses import dataclass

from application.engine.follow_up import FollowUp
from application.engine.inbox import Inbox, Key
from application.ports.clock import Clock

LOOK_SECONDS = 300.0
"""What is at work in two looks is acknowledged: after 5 to 10 minutes, where RabbitMQ waits for 30."""


@dataclass(slots=True, kw_only=True)
class LongWork:
    """Looks after the deliveries of one route on a shared queue.

    The claim alone stands for the message from then on: when this process dies it runs out with the lease, and whoever
    sweeps it publishes the message again. What is not begun yet is left to the broker, so that the prefetch holds.
    """

    inbox: Inbox
    follow_up: FollowUp
    clock: Clock

    async def run(self) -> None:
        """Look again and again until cancelled."""
        seen: AbstractSet[Key] = frozenset()
        while True:
            await self.clock.sleep(LOOK_SECONDS)
            seen = self.look(seen)

    def look(self, seen: AbstractSet[Key]) -> AbstractSet[Key]:
        """Acknowledge what was at work in the look before as well; returns what is at work for the first time."""
        at_work = {
            key for key, work in self.inbox.held.items() if work.has_begun and work.delivery is not None
        }
        for key in at_work & seen:
            work = self.inbox.held[key]
            delivery, work.delivery = work.delivery, None
            self.follow_up.after((), delivery)
        return at_work - seen
