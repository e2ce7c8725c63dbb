"""A RabbitMQ node that is killed, runs out of disk, or loses patience with a consumer."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from dataclasses import replace
from uuid import uuid4

import pytest

from adapters.rabbitmq.message_queue import RabbitMessageQueue
from application.ports.readiness import Health
from domain.errors import Unavailable
from tests.rabbitmq_hands import (
    PATIENCE,
    QUICK,
    all_received,
    be_patient_for,
    envelopes,
    published,
    received,
    until,
)
from tests.rabbitmq_service import Node, own_node

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def node() -> Iterator[Node]:
    """A node of these tests' own."""
    with own_node() as started:
        yield started


@pytest.fixture
async def queue(node: Node) -> AsyncIterator[RabbitMessageQueue]:
    async with RabbitMessageQueue([node.url], timing=replace(QUICK, publish=2.0)) as opened:
        yield opened


async def health(queue: RabbitMessageQueue) -> Health:
    return (await queue.check()).health


async def is_blocked(queue: RabbitMessageQueue) -> bool:
    """Publish something, as the broker tells of its alarm only then, and ask."""
    with suppress(Unavailable):
        await queue.publish("exec:none:/queue/probe", envelopes(1))
    return bool((await queue.check()).details["blocked"])


async def test_a_full_disk_is_seen_and_consuming_goes_on(node: Node, queue: RabbitMessageQueue) -> None:
    """Who publishes is told Unavailable, health is degraded; it resumes by itself when there is room again."""
    name = f"exec:{uuid4()}:/queue/work"
    before, after = envelopes(3), envelopes(3)
    await queue.publish(name, before)
    await asyncio.to_thread(node.control, "set_disk_free_limit", "100000GB")
    await until(lambda: is_blocked(queue))
    assert await health(queue) is Health.DEGRADED
    with pytest.raises(Unavailable, match="disk or memory"):
        await queue.publish(name, after)
    async with queue.subscribe(name, prefetch=1) as subscription:
        assert await received(subscription, 3) == before
        await asyncio.to_thread(node.control, "set_disk_free_limit", "1MB")
        await published(queue, name, after)
        assert await received(subscription, 3) == after
    assert await health(queue) is Health.HEALTHY


async def test_a_killed_node_that_starts_again_has_what_it_confirmed(
    node: Node, queue: RabbitMessageQueue
) -> None:
    """Subscriptions and publishers go on as if nothing had been."""
    name = f"exec:{uuid4()}:/queue/work"
    sent = envelopes(200)
    await queue.publish(name, sent)
    async with queue.subscribe(name, prefetch=10) as subscription:
        held = await subscription.receive()
        await asyncio.to_thread(node.kill)
        await until(lambda: _is(queue, Health.UNHEALTHY))
        with pytest.raises(Unavailable):
            await queue.publish(name, envelopes(1))
        starting = asyncio.create_task(asyncio.to_thread(node.start))
        await all_received(subscription, sent)
        await held.acknowledge()
        await starting
        await published(queue, name, more := envelopes(5))
        await all_received(subscription, more)
    await until(lambda: _is(queue, Health.HEALTHY))


async def _is(queue: RabbitMessageQueue, wanted: Health) -> bool:
    return await health(queue) is wanted


@pytest.mark.soak
async def test_a_consumer_that_holds_a_message_too_long_is_put_back(
    node: Node, queue: RabbitMessageQueue
) -> None:
    """The broker closes its channel; the message comes again, over a new one."""
    await asyncio.to_thread(be_patient_for, node, 1000)
    try:
        name = f"exec:{uuid4()}:/queue/work"
        sent = envelopes(1)
        async with queue.subscribe(name, prefetch=1) as subscription:
            await queue.publish(name, sent)
            held = await subscription.receive()
            async with asyncio.timeout(3 * PATIENCE):
                again = await subscription.receive()
            assert again.envelope == held.envelope
            await held.acknowledge()
            await again.acknowledge()
            await queue.publish(name, more := envelopes(1))
            assert await received(subscription, 1) == more
    finally:
        await asyncio.to_thread(be_patient_for, node, 1_800_000)
