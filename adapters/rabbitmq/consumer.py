"""One consumer on a channel of its own: what it was given, and what is to be said about it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress

import aiormq
from aiormq.abc import DeliveredMessage

from adapters.rabbitmq.closing import close_channel
from adapters.rabbitmq.envelopes import EnvelopeUnreadable, decoded
from adapters.rabbitmq.tending import lost_with
from adapters.rabbitmq.translation import RabbitUnavailable, translating
from application.ports.message_queue import Envelope

log = logging.getLogger(__name__)


class RabbitDelivery:
    """One envelope in a consumer's hands; what is said about it after its channel is gone changes nothing."""

    __slots__ = ("_consumer", "_tag", "envelope")

    def __init__(self, consumer: Consumer, tag: int, envelope: Envelope) -> None:
        self._consumer = consumer
        self._tag = tag
        self.envelope = envelope

    async def acknowledge(self) -> None:
        self._consumer.acknowledge(self._tag)

    async def release(self) -> None:
        self._consumer.release(self._tag)


class Consumer:
    """Consumes one queue until it is lost or closed.

    Acknowledgements are collected while the loop is at it and sent together, as one where they are in a row.
    """

    def __init__(
        self, channel: aiormq.abc.AbstractChannel, arrived: Callable[[RabbitDelivery], None]
    ) -> None:
        self.lost = lost_with(channel)
        self.has_received = False
        self.is_passed_over = False
        """When it was last looked at, it could have taken what was waiting in its queue."""
        self._prefetch = 0
        self._channel = channel
        self._arrived = arrived
        self._out: dict[int, None] = {}
        self._acknowledged: set[int] = set()
        self._released: list[tuple[int, bool]] = []
        self._teller: asyncio.Task[None] | None = None
        self._is_closed = False

    async def consume(self, queue: str, prefetch: int) -> None:
        """Begin."""
        self._prefetch = prefetch
        await self._channel.basic_qos(prefetch_count=prefetch)
        await self._channel.basic_consume(queue, self._take)

    @property
    def has_room(self) -> bool:
        """Whether the broker may give it more before something is acknowledged."""
        return len(self._out) < self._prefetch

    def give_up(self, reason: str) -> None:
        """Take it for lost."""
        if not self.lost.done():
            self.lost.set_result(reason)

    def acknowledge(self, tag: int) -> None:
        if tag in self._out and tag not in self._acknowledged and not self._is_closed:
            self._acknowledged.add(tag)
            self._tell_soon()

    def release(self, tag: int, *, requeue: bool = True) -> None:
        if tag in self._out and tag not in self._acknowledged and not self._is_closed:
            del self._out[tag]
            self._released.append((tag, requeue))
            self._tell_soon()

    async def close(self) -> None:
        """Say what is to be said, then close the channel: what is out goes back to the queue."""
        self._is_closed = True
        if self._teller is not None:
            await asyncio.wait([self._teller])
        await close_channel(self._channel)

    async def _take(self, message: DeliveredMessage) -> None:
        tag = message.delivery_tag
        if tag is None or self._is_closed:
            return
        self.has_received = True
        self._out[tag] = None
        try:
            envelope = decoded(message.body)
        except EnvelopeUnreadable as error:
            log.warning("a message in the queue %s was thrown away: %s", message.routing_key, error)
            self.release(tag, requeue=False)
        else:
            self._arrived(RabbitDelivery(self, tag, envelope))

    def _tell_soon(self) -> None:
        if self._teller is None or self._teller.done():
            self._teller = asyncio.create_task(self._tell())

    async def _tell(self) -> None:
        # A channel that is gone took along what was out: it comes again, and settlement is idempotent.
        with suppress(RabbitUnavailable), translating():
            while self._released or self._acknowledged:
                released, self._released = self._released, []
                acknowledged = self._in_a_row()
                for tag, requeue in released:
                    # Not reject: a quorum queue may count that as a failed attempt.
                    await self._channel.basic_nack(tag, requeue=requeue, wait=False)
                for tag, multiple in acknowledged:
                    await self._channel.basic_ack(tag, multiple=multiple, wait=False)

    def _in_a_row(self) -> list[tuple[int, bool]]:
        """The acknowledgements to send, the oldest ones as one; what is out and older than that would be meant too."""
        row = 0
        for tag in self._out:
            if tag not in self._acknowledged:
                break
            row = tag
        single = [(tag, False) for tag in self._acknowledged if tag > row]
        for tag in self._acknowledged:
            del self._out[tag]
        self._acknowledged.clear()
        return [(row, True), *single] if row else single
