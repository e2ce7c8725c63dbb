"""Questions to the broker, and orders, that are no messages."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiormq
from aio_pika.exceptions import ChannelNotFoundEntity
from pamqp.common import FieldTable

from adapters.rabbitmq.line import Line


class Control:
    """One channel, opened when it is needed and again after each refusal, which costs the channel.

    One order at a time, so that a refusal is of that order and no other.
    """

    def __init__(self, line: Line) -> None:
        self._line = line
        self._channel: aiormq.abc.AbstractChannel | None = None
        self._turn = asyncio.Lock()

    async def declare(self, queue: str, arguments: FieldTable) -> None:
        """Bring a durable queue into being. Raises QueueDeclaredOtherwise."""
        async with self._open() as channel:
            await channel.queue_declare(queue, durable=True, arguments=arguments)

    async def declare_topic(self, exchange: str) -> None:
        """Bring a fan-out exchange into being."""
        async with self._open() as channel:
            await channel.exchange_declare(exchange, exchange_type="fanout", durable=True)

    async def delete(self, queue: str) -> None:
        """Delete a queue with all in it, if it is there."""
        async with self._open() as channel:
            await channel.queue_delete(queue)

    async def consumers(self, queue: str) -> int | None:
        """How many consumers the broker sees at a queue; None when there is no such queue."""
        try:
            async with self._open() as channel:
                return (await channel.queue_declare(queue, passive=True)).consumer_count
        except ChannelNotFoundEntity:
            return None

    async def ping(self) -> None:
        """Ask something that every broker can answer."""
        async with self._open() as channel:
            await channel.exchange_declare("amq.fanout", passive=True)

    @asynccontextmanager
    async def _open(self) -> AsyncIterator[aiormq.abc.AbstractChannel]:
        async with self._turn:
            connection = await self._line.connection()
            channel = self._channel
            if channel is None or channel.is_closed or channel.connection is not connection:
                channel = self._channel = await connection.channel(publisher_confirms=False)
            yield channel
