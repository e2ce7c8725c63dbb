"""Queues and topics within one process."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from time import monotonic

from adapters.memory.listeners import Listeners
from adapters.memory.waiting_line import InProcessSubscription, WaitingLine
from application.ports.message_queue import Envelope
from application.ports.readiness import ComponentHealth, Health
from application.queue_details import QueueDetails, QueueHealthState, Subscribed, latest
from domain.json import JsonObject


class InProcessMessageQueue:
    """A bounded window onto the ledger: ``capacity`` envelopes a queue, waiting or out to consumers.

    An envelope that waits or is out is not taken a second time, so whoever publishes a message *again* (a retry that
    is due) does it after acknowledging. A listener to a topic may leave ``topic_capacity`` payloads unread. A queue
    takes no memory once it is empty and no one consumes it.
    """

    component = "queue"
    is_private = True

    def __init__(self, *, capacity: int = 1024, topic_capacity: int = 256) -> None:
        self._capacity = capacity
        self._lines: dict[str, WaitingLine] = {}
        self._listeners: Listeners[str, JsonObject] = Listeners(topic_capacity)
        self._received_at: float | None = None

    async def publish(self, queue: str, envelopes: Sequence[Envelope]) -> int:
        return self._line(queue).append(envelopes) if envelopes else 0

    @asynccontextmanager
    async def subscribe(self, queue: str, *, prefetch: int) -> AsyncIterator[InProcessSubscription]:
        if prefetch < 1:
            raise ValueError("a subscription needs a prefetch of at least 1")
        line = self._line(queue)
        subscription = InProcessSubscription(line, prefetch)
        try:
            yield subscription
        finally:
            subscription.close()
            self._received_at = latest(self._received_at, subscription.received_at)
            if line.is_unused and self._lines.get(queue) is line:
                del self._lines[queue]

    async def room(self, queue: str) -> int:
        line = self._lines.get(queue)
        return self._capacity - (len(line.known) if line else 0)

    async def delete(self, queue: str) -> None:
        line = self._lines.pop(queue, None)
        if line is not None:
            line.close()

    async def broadcast(self, topic: str, payload: JsonObject) -> None:
        self._listeners.tell(topic, payload)

    def listen(self, topic: str) -> AbstractAsyncContextManager[AsyncIterator[JsonObject]]:
        return self._listeners.listen(topic)

    async def check(self) -> ComponentHealth:
        """Always healthy: it is as alive as its process. Details: those of every queue, the queues, the envelopes in them."""
        told = QueueDetails(
            state=QueueHealthState.HEALTHY,
            is_connected=True,
            subscriptions=[
                Subscribed(queue=name, received_at=one.received_at)
                for name, line in self._lines.items()
                for one in line.subscriptions
            ],
            received_at=self._received_at,
        )
        details: JsonObject = {
            **told.told(now=monotonic()),
            "queues": len(self._lines),
            "envelopes": sum(len(line.known) for line in self._lines.values()),
        }
        return ComponentHealth(name=self.component, health=Health.HEALTHY, details=details)

    def _line(self, queue: str) -> WaitingLine:
        line = self._lines.get(queue)
        if line is None:
            line = self._lines[queue] = WaitingLine(self._capacity)
        return line
