"""Publishes with confirmations, many at a time."""

from __future__ import annotations

import asyncio
import itertools
import secrets
from collections.abc import Sequence
from typing import cast

import aiormq
from aio_pika.exceptions import PublishError
from pamqp.commands import Basic

from adapters.rabbitmq.line import Line

IN_FLIGHT = 200
"""How many messages may be unconfirmed at a time. One by one is a quarter as fast."""

PERSISTENT = 2


class Publisher:
    """One channel for all queues, opened when it is needed."""

    def __init__(self, line: Line) -> None:
        self._line = line
        self._channel: aiormq.Channel | None = None
        self._opening = asyncio.Lock()
        self._slots = asyncio.Semaphore(IN_FLIGHT)
        self._ids = (f"{secrets.token_hex(4)}-{number:x}" for number in itertools.count())

    async def publish(self, queue: str, bodies: Sequence[bytes]) -> Sequence[bytes]:
        """Publish in order and await the confirmations; returns what came back because there is no such queue."""
        channel = await self._open()
        results = await asyncio.gather(
            *(self._one(channel, queue, body) for body in bodies), return_exceptions=True
        )
        returned = [
            body for body, result in zip(bodies, results, strict=True) if isinstance(result, PublishError)
        ]
        for result in results:
            if isinstance(result, BaseException) and not isinstance(result, PublishError):
                raise result
        return returned

    async def _one(self, channel: aiormq.Channel, queue: str, body: bytes) -> None:
        async with self._slots:
            # A repeated message id could not be told from the one in flight, so each publish has its own.
            properties = Basic.Properties(delivery_mode=PERSISTENT, message_id=next(self._ids))
            await channel.basic_publish(
                body, routing_key=queue, properties=properties, mandatory=True, wait=False
            )

    async def _open(self) -> aiormq.Channel:
        async with self._opening:
            connection = await self._line.connection()
            await connection.ready()
            channel = self._channel
            if channel is None or channel.is_closed or channel.connection is not connection:
                opened = await connection.channel(publisher_confirms=True, on_return_raises=True)
                channel = self._channel = cast("aiormq.Channel", opened)
            return channel
