"""Topics: a fan-out exchange each, and a queue for each listener that goes with it."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from typing import TypeAlias, cast

import aiormq
import msgspec
from aiormq.abc import DeliveredMessage

from adapters.rabbitmq.closing import close_channel
from adapters.rabbitmq.control import Control
from adapters.rabbitmq.line import Line
from adapters.rabbitmq.queue_arguments import listener_arguments
from adapters.rabbitmq.room import LEFT_BY_LISTENERS, channel_if_room
from adapters.rabbitmq.tending import Tending, lost_with
from adapters.rabbitmq.timing import Timing
from domain.errors import FactflowError
from domain.json import JsonObject

log = logging.getLogger(__name__)

Channel: TypeAlias = aiormq.abc.AbstractChannel


class Broadcaster:
    """Says things on topics, unconfirmed, over a channel of its own."""

    def __init__(self, line: Line, control: Control) -> None:
        self._line = line
        self._control = control
        self._channel: aiormq.Channel | None = None
        self._opening = asyncio.Lock()
        self._declared: set[str] = set()

    async def say(self, exchange: str, payload: JsonObject) -> None:
        channel = await self._open()
        if exchange not in self._declared:
            await self._control.declare_topic(exchange)
            self._declared.add(exchange)
        await channel.basic_publish(msgspec.json.encode(payload), exchange=exchange, wait=False)

    async def _open(self) -> aiormq.Channel:
        async with self._opening:
            connection = await self._line.connection()
            await connection.ready()
            channel = self._channel
            if channel is None or channel.is_closed or channel.connection is not connection:
                # One that was closed may have been closed for want of an exchange.
                self._declared.clear()
                opened = await connection.channel(publisher_confirms=False)
                channel = self._channel = cast("aiormq.Channel", opened)
            return channel


class Listener:
    """What is said on one topic, the latest ``capacity`` of what was not yet read. Iteration ends when it is closed."""

    def __init__(self, topic: str, exchange: str, capacity: int, *, line: Line, timing: Timing) -> None:
        self._topic, self._exchange = topic, exchange
        self._capacity = capacity
        self._heard: deque[JsonObject] = deque(maxlen=capacity)
        self._awake = asyncio.Event()
        self._is_closed = False
        self._refusal: FactflowError | None = None
        self._tending: Tending[_Ear] = Tending(
            f"the listener to {topic}", self._listen, self._refuse, line=line, timing=timing
        )

    async def open(self) -> None:
        """Begin to listen; while the broker does not answer it goes on trying."""
        await self._tending.start()
        if self._refusal is not None:
            raise self._refusal

    async def close(self) -> None:
        self._is_closed = True
        self._heard.clear()
        self._awake.set()
        await self._tending.stop()

    def __aiter__(self) -> Listener:
        return self

    async def __anext__(self) -> JsonObject:
        while not self._heard:
            if self._is_closed:
                raise StopAsyncIteration
            self._awake.clear()
            await self._awake.wait()
        return self._heard.popleft()

    def _refuse(self, error: FactflowError) -> None:
        self._refusal = error
        log.warning("nothing is heard on %s any more: %s", self._topic, error)

    async def _listen(self, connection: aiormq.abc.AbstractConnection) -> _Ear:
        channel = await channel_if_room(connection, leaving=LEFT_BY_LISTENERS)
        ear = _Ear(channel)
        try:
            await channel.exchange_declare(self._exchange, exchange_type="fanout", durable=True)
            queue = await channel.queue_declare(
                exclusive=True, auto_delete=True, arguments=listener_arguments(self._capacity)
            )
            await channel.queue_bind(str(queue.queue), self._exchange)
            await channel.basic_consume(str(queue.queue), self._hear, no_ack=True)
        except BaseException:
            await ear.close()
            raise
        return ear

    async def _hear(self, message: DeliveredMessage) -> None:
        try:
            payload = msgspec.json.decode(message.body)
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            log.warning("what was said on %s is not JSON and was passed over: %s", self._topic, error)
            return
        if isinstance(payload, dict):
            self._heard.append(payload)
            self._awake.set()


class _Ear:
    """A listener's channel while it lasts."""

    def __init__(self, channel: Channel) -> None:
        self.lost = lost_with(channel)
        self._channel = channel

    async def close(self) -> None:
        await close_channel(self._channel)
