"""Questions to the broker, and orders, that are no messages."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import aiormq
from aio_pika.exceptions import ChannelNotFoundEntity
from pamqp.common import FieldTable

from adapters.rabbitmq.line import Line


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueFacts:
    """How many messages wait in a queue and are in no consumer's hands, and how many consumers of all processes it has."""

    waiting: int
    consumers: int


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

    async def queue_facts(self, queue: str) -> QueueFacts | None:
        """What the broker says of a queue; None when there is no such queue."""
        try:
            async with self._open() as channel:
                told = await channel.queue_declare(queue, passive=True)
        except ChannelNotFoundEntity:
            return None
        return QueueFacts(waiting=told.message_count or 0, consumers=told.consumer_count or 0)

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
