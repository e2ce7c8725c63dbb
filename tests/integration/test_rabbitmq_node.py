"""A RabbitMQ node that is killed, runs out of disk, or loses patience with a consumer."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import AsyncExitStack, suppress
from dataclasses import replace
from pathlib import Path
from uuid import uuid4

import pytest
from yarl import URL

from adapters.rabbitmq.message_queue import RabbitMessageQueue
from adapters.rabbitmq.queue_arguments import QueueType
from adapters.rabbitmq.room import LEFT_BY_CONSUMERS
from adapters.rabbitmq.subscription import RabbitSubscription
from adapters.rabbitmq.translation import RabbitNotPermitted
from application.engine.signals import CHANNEL
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

ROOT = Path(__file__).parents[2]
FEW_CHANNELS = 20


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


@pytest.fixture
async def few_channels(node: Node) -> AsyncIterator[int]:
    """How many channels a connection may have while the test lasts."""
    setting = "application:{}_env(rabbit, channel_max{})."
    told = await asyncio.to_thread(node.control, "eval", setting.format("get", ""))
    (before,) = re.findall("[0-9]+", told)
    await asyncio.to_thread(node.control, "eval", setting.format("set", f", {FEW_CHANNELS}"))
    yield FEW_CHANNELS
    await asyncio.to_thread(node.control, "eval", setting.format("set", f", {before}"))


async def test_consumers_for_which_there_is_no_channel_wait_and_disturb_no_other(
    node: Node, few_channels: int, caplog: pytest.LogCaptureFixture
) -> None:
    """The broker would close the connection with all there are; a place that becomes free is taken."""
    scope = uuid4()
    async with RabbitMessageQueue([node.url], timing=QUICK) as queue, AsyncExitStack() as stack:
        connection = queue._consuming.present
        everyone = [
            await stack.enter_async_context(queue.subscribe(f"exec:{scope}:{number}", prefetch=1))
            for number in range(few_channels + 5)
        ]
        served = [one for one in everyone if one.consumer is not None]
        waiting = [one for one in everyone if one.consumer is None]
        assert 0 < len(served) <= few_channels - LEFT_BY_CONSUMERS
        async with queue.listen("/topic/x") as heard:
            await queue.broadcast("/topic/x", {"a": 1})
            assert await anext(heard) == {"a": 1}
        await asyncio.sleep(5 * QUICK.longest_pause)
        assert await health(queue) is Health.DEGRADED
        told = [one.getMessage() for one in caplog.records if "channel_max" in one.getMessage()]
        assert len(told) == len(set(told)) == len(waiting)
        await served.pop().close()
        await until(lambda: _is_served(waiting))
        for one in [*served, *(one for one in waiting if one.consumer)]:
            await queue.publish(one.queue.name, sent := envelopes(1))
            assert await received(one, 1) == sent
        assert queue._consuming.present is connection


async def _is_served(some: Sequence[RabbitSubscription]) -> bool:
    return any(one.consumer is not None for one in some)


@pytest.fixture(scope="module")
def confined(node: Node) -> str:
    """The address for a user with the rights that the guide gives it, and no more."""
    guide = (ROOT / "docs" / "how-to" / "deploy.md").read_text()
    (rights,) = re.findall(r"set_permissions factflow --vhost factflow((?: \\\n  '[^']+'){3})", guide)
    node.control("add_vhost", "factflow")
    node.control("add_user", "factflow", "secret")
    node.control("set_permissions", "factflow", "--vhost", "factflow", *re.findall("'([^']+)'", rights))
    return str(URL(node.url).with_user("factflow").with_password("secret").with_path("/factflow"))


@pytest.mark.parametrize("queue_type", ["classic", "quorum"])
async def test_the_rights_in_the_guide_are_enough_and_no_more(confined: str, queue_type: QueueType) -> None:
    """For queues by plain and by abridged names, for topics and copies of dead letters, and for diagnoses."""
    async with RabbitMessageQueue([confined], timing=QUICK, queue_type=queue_type) as queue:
        for name in (f"exec:{uuid4()}:/queue/a", f"exec:{uuid4()}:/route/å", f"diagnostic:{uuid4()}"):
            await queue.publish(name, sent := envelopes(2))
            async with queue.subscribe(name, prefetch=1) as subscription:
                assert await received(subscription, 2) == sent
            await queue.delete(name)
        for topic in (CHANNEL, "/topic/news"):
            async with queue.listen(topic) as heard:
                await queue.broadcast(topic, {"a": 1})
                assert await anext(heard) == {"a": 1}
        await queue.broadcast("/queue/dead", {"a": 1})
        for name in ("orders", "factflow.signals2"):
            with pytest.raises(RabbitNotPermitted):
                await queue.publish(name, envelopes(1))
        assert await health(queue) is Health.HEALTHY


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
