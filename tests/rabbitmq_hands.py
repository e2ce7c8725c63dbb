"""What tests of RabbitMQ share: quick timings, envelopes, and a foreign hand in the broker."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from uuid import uuid4

import aio_pika
from aio_pika.abc import AbstractChannel

from adapters.rabbitmq.timing import Timing
from application.ports.message_queue import Envelope, MessageQueue, Subscription
from domain.errors import Unavailable
from tests.rabbitmq_service import Node

PATIENCE = 30.0

QUICK = Timing(
    heartbeat=10, connect=2.0, answer=2.0, watch=0.2, publish=10.0, first_pause=0.02, longest_pause=0.2
)


def envelopes(count: int) -> list[Envelope]:
    """That many, of one execution."""
    execution = uuid4()
    return [Envelope(message_id=uuid4(), execution_id=execution, route_id="route") for _ in range(count)]


async def received(subscription: Subscription, count: int) -> list[Envelope]:
    """That many, each acknowledged."""
    taken: list[Envelope] = []
    async with asyncio.timeout(PATIENCE):
        while len(taken) < count:
            delivery = await subscription.receive()
            taken.append(delivery.envelope)
            await delivery.acknowledge()
    return taken


async def all_received(subscription: Subscription, wanted: Sequence[Envelope]) -> None:
    """Receive and acknowledge until all of these have come, some of them twice perhaps."""
    missing = set(wanted)
    async with asyncio.timeout(PATIENCE):
        while missing:
            delivery = await subscription.receive()
            missing.discard(delivery.envelope)
            await delivery.acknowledge()


async def published(queue: MessageQueue, name: str, some: Sequence[Envelope]) -> None:
    """Publish, again while it is not known whether they were taken, as the engine does."""
    async with asyncio.timeout(PATIENCE):
        while True:
            try:
                await queue.publish(name, some)
            except Unavailable:
                await asyncio.sleep(0.02)
            else:
                return


async def until(is_so: Callable[[], Awaitable[bool]]) -> None:
    """Return when it is so."""
    async with asyncio.timeout(PATIENCE):
        while not await is_so():  # noqa: ASYNC110 - what a broker does, nobody tells
            await asyncio.sleep(0.02)


@asynccontextmanager
async def foreign_hand(url: str) -> AsyncIterator[AbstractChannel]:
    """A channel of somebody else's."""
    async with await aio_pika.connect(url) as connection:
        yield await connection.channel()


def be_patient_for(node: Node, milliseconds: int) -> None:
    """Holds for channels that are opened from now on; the broker looks every second."""
    node.control(
        "eval",
        f"application:set_env(rabbit, consumer_timeout, {milliseconds}), "
        "application:set_env(rabbit, channel_tick_interval, 1000).",
    )
