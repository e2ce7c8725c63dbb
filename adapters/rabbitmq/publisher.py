"""Publishes with confirmations, over one channel for all queues."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import cast

import aiormq

from adapters.rabbitmq.confirmed_channel import ConfirmedChannel
from adapters.rabbitmq.line import Line
from adapters.rabbitmq.translation import RabbitUnavailable


class Publisher:
    """Opens its channel when it is needed, and again when it or its connection was lost."""

    def __init__(self, line: Line) -> None:
        self._line = line
        self._channel: ConfirmedChannel | None = None
        self._opening = asyncio.Lock()

    async def publish(self, queue: str, bodies: Sequence[bytes]) -> Sequence[bytes]:
        """Publish in order and await the confirmations; returns what came back because there is no such queue."""
        channel = await self._open()
        return await channel.publish(queue, bodies)

    async def _open(self) -> ConfirmedChannel:
        async with self._opening:
            connection = await self._line.connection()
            if await self._line.is_blocked():
                raise RabbitUnavailable("the broker takes no messages: it is short of disk or memory")
            confirmed = self._channel
            if (
                confirmed is None
                or confirmed.channel.is_closed
                or confirmed.channel.connection is not connection
            ):
                channel = await connection.channel(publisher_confirms=True, on_return_raises=True)
                confirmed = self._channel = ConfirmedChannel(cast("aiormq.Channel", channel))
            return confirmed
