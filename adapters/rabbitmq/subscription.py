"""A subscription: deliveries for those who wait, whatever becomes of the channel below."""

from __future__ import annotations

import asyncio
from collections import deque
from time import monotonic

import aiormq

from adapters.rabbitmq.consumer import Consumer, RabbitDelivery
from adapters.rabbitmq.control import Control
from adapters.rabbitmq.line import Line
from adapters.rabbitmq.queue_state import QueueState
from adapters.rabbitmq.room import LEFT_BY_CONSUMERS, channel_if_room
from adapters.rabbitmq.tending import Tending
from adapters.rabbitmq.timing import Timing
from application.ports.message_queue import SubscriptionClosed
from domain.errors import FactflowError


class RabbitSubscription:
    """One consumer of one queue, put back whenever it stops. Several tasks may receive from it.

    What had been delivered and not been acknowledged when the channel was lost comes again. ``received_at`` is when the
    last delivery came, on the monotonic clock.
    """

    def __init__(
        self, queue: QueueState, prefetch: int, control: Control, *, line: Line, timing: Timing
    ) -> None:
        self.queue = queue
        self.received_at: float | None = None
        self._prefetch = prefetch
        self._control = control
        self._ready: deque[RabbitDelivery] = deque()
        self._waiting: deque[asyncio.Future[RabbitDelivery]] = deque()
        self._end: FactflowError | None = None
        self._tending: Tending[Consumer] = Tending(
            f"the consumer of {queue.name}", self._consumed, self.end, line=line, timing=timing
        )

    @property
    def consumer(self) -> Consumer | None:
        """The present consumer, or None while there is none."""
        return self._tending.present

    async def open(self) -> None:
        """Begin to consume; while the broker does not answer it goes on trying. Raises what the broker refuses with."""
        await self._tending.start()
        if self._end is not None:
            raise self._end

    async def receive(self) -> RabbitDelivery:
        if self._end is not None:
            raise self._end
        if self._ready:
            return self._ready.popleft()
        future: asyncio.Future[RabbitDelivery] = asyncio.get_running_loop().create_future()
        self._waiting.append(future)
        try:
            return await future
        except asyncio.CancelledError:
            if future.done() and not future.cancelled() and future.exception() is None:
                self._ready.appendleft(future.result())
                self._hand_out()
            raise

    def end(self, error: FactflowError) -> None:
        """Tell everyone who waits, or will ask, that it is over."""
        if self._end is None:
            self._end = error
        self._ready.clear()
        while self._waiting:
            future = self._waiting.popleft()
            if not future.done():
                future.set_exception(type(self._end)(self._end.message))
        self._tending.cease()

    async def close(self) -> None:
        """End it; what is out goes back to the queue."""
        self.end(SubscriptionClosed())
        await self._tending.stop()

    async def _consumed(self, connection: aiormq.abc.AbstractConnection) -> Consumer:
        await self.queue.look_whether_lost(connection)
        await self.queue.declare(self._control)
        # What was delivered over a lost channel and is still waiting here comes again.
        self._ready.clear()
        consumer = Consumer(await channel_if_room(connection, leaving=LEFT_BY_CONSUMERS), self._arrived)
        try:
            await consumer.consume(self.queue.amqp_name, self._prefetch)
        except BaseException:
            await consumer.close()
            raise
        return consumer

    def _arrived(self, delivery: RabbitDelivery) -> None:
        if self._end is None:
            self.received_at = monotonic()
            self._ready.append(delivery)
            self._hand_out()

    def _hand_out(self) -> None:
        while self._ready and self._waiting:
            future = self._waiting.popleft()
            if not future.done():
                future.set_result(self._ready.popleft())
