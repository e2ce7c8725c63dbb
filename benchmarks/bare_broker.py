"""The peer of the engine over RabbitMQ: three queues, publisher confirms and manual acknowledgements, by aio-pika alone."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from functools import partial
from itertools import pairwise
from uuid import uuid4

import aio_pika
import msgspec
from aio_pika.abc import AbstractChannel, AbstractIncomingMessage, AbstractQueue

from benchmarks.messages import payload

STAGES = 3
IN_FLIGHT = 200
"""Publishes that await their confirmation at once, and the prefetch of each consumer."""


async def run(url: str, messages: int) -> float:
    """Send so many messages through all stages; returns the seconds from the first publish to the last acknowledgement."""
    connection = await aio_pika.connect(url)
    async with connection:
        queues = [await _stage(await _channel(connection)) for _ in range(STAGES)]
        try:
            return await _through(queues, await _channel(connection), messages)
        finally:
            for queue in queues:
                await queue.delete(if_unused=False, if_empty=False)


async def _channel(connection: aio_pika.abc.AbstractConnection) -> AbstractChannel:
    channel = await connection.channel(publisher_confirms=True, on_return_raises=True)
    await channel.set_qos(prefetch_count=IN_FLIGHT)
    return channel


async def _stage(channel: AbstractChannel) -> AbstractQueue:
    return await channel.declare_queue(
        f"bare-{uuid4().hex}", durable=True, arguments={"x-queue-type": "quorum"}
    )


async def _through(queues: Sequence[AbstractQueue], publishing: AbstractChannel, messages: int) -> float:
    finished, left = asyncio.Event(), messages

    async def arrive(message: AbstractIncomingMessage) -> None:
        nonlocal left
        msgspec.json.decode(message.body)
        await message.ack()
        left -= 1
        if not left:
            finished.set()

    for queue, onward in pairwise(queues):
        await queue.consume(partial(_pass_on, publishing, onward.name))
    await queues[-1].consume(arrive)
    started = time.perf_counter()
    turns = asyncio.Semaphore(IN_FLIGHT)
    async with asyncio.TaskGroup() as group:
        for number in range(messages):
            await turns.acquire()
            sending = group.create_task(
                _publish(publishing, queues[0].name, msgspec.json.encode(payload(number)))
            )
            sending.add_done_callback(lambda _: turns.release())
    await finished.wait()
    return time.perf_counter() - started


async def _pass_on(publishing: AbstractChannel, onward: str, message: AbstractIncomingMessage) -> None:
    await _publish(publishing, onward, msgspec.json.encode(msgspec.json.decode(message.body)))
    await message.ack()


async def _publish(channel: AbstractChannel, queue: str, body: bytes) -> None:
    message = aio_pika.Message(body, delivery_mode=aio_pika.DeliveryMode.PERSISTENT, message_id=uuid4().hex)
    await channel.default_exchange.publish(message, routing_key=queue)
