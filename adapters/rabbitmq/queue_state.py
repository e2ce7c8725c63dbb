"""What this process knows of one queue in the broker."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass, field

import aiormq
from aio_pika.exceptions import ChannelNotFoundEntity
from pamqp.common import FieldTable

from adapters.rabbitmq.closing import close_channel
from adapters.rabbitmq.control import Control
from adapters.rabbitmq.room import LEFT_BY_CONSUMERS, channel_if_room

log = logging.getLogger(__name__)


@dataclass(slots=True, kw_only=True, eq=False)
class QueueState:
    """``is_declared``: this process has seen it; should it not be there any more, what was in it is lost.

    It is not lost to the engine, whose feed publishes again what the ledger has and an idle consumer is not given.
    """

    name: str
    amqp_name: str
    arguments: FieldTable
    is_declared: bool = False
    _turn: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def declare(self, control: Control) -> None:
        """Bring the queue into being if this process has not seen it; once, whoever asks meanwhile.

        A quorum queue that is declared twice at a time is there for the second before it can be consumed.
        """
        async with self._turn:
            if not self.is_declared:
                await control.declare(self.amqp_name, self.arguments)
                self.is_declared = True

    async def look_whether_lost(self, connection: aiormq.abc.AbstractConnection) -> None:
        """Tell of the loss if the queue was there before and is not now."""
        if not self.is_declared:
            return
        # To ask for a queue that is not there costs the channel.
        channel = await channel_if_room(connection, leaving=LEFT_BY_CONSUMERS)
        try:
            await channel.queue_declare(self.amqp_name, passive=True)
        except ChannelNotFoundEntity:
            self.tell_lost()
        finally:
            await close_channel(channel)

    def tell_lost(self) -> None:
        """The queue is gone with all in it."""
        if self.is_declared:
            self.is_declared = False
            log.warning(
                "the queue %s was deleted, and what was in it is lost; it is declared again", self.name
            )
