"""Lines to RabbitMQ that are cut, fall silent, or lead to another host."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from uuid import uuid4

import pytest
from aio_pika.exceptions import ChannelNotFoundEntity
from yarl import URL

from adapters.rabbitmq.message_queue import RabbitMessageQueue
from adapters.rabbitmq.translation import RabbitUnavailable
from application.ports.readiness import Health
from domain.errors import Unavailable
from tests.proof.links import Link, linked_port
from tests.rabbitmq_hands import (
    PATIENCE,
    QUICK,
    all_received,
    envelopes,
    foreign_hand,
    published,
    received,
    until,
)

pytestmark = pytest.mark.slow

TOLD = ("connected", "health_state", "reconnect_in_progress", "active_subscriptions")


@pytest.fixture
async def line(rabbitmq_url: str) -> AsyncIterator[tuple[Link, str]]:
    """A line to the broker that can be cut, and the address at its end."""
    url = URL(rabbitmq_url)
    async with linked_port(url.port or 5672) as (link, port):
        yield link, str(url.with_host("127.0.0.1").with_port(port))


@pytest.fixture
async def queue(line: tuple[Link, str]) -> AsyncIterator[RabbitMessageQueue]:
    async with RabbitMessageQueue([line[1]], timing=QUICK) as opened:
        yield opened


@pytest.fixture
async def name(queue: RabbitMessageQueue, rabbitmq_url: str) -> AsyncIterator[str]:
    name = f"exec:{uuid4()}:/queue/work"
    yield name
    async with foreign_hand(rabbitmq_url) as hand:
        await hand.queue_delete(name)


async def is_healthy(queue: RabbitMessageQueue) -> bool:
    return (await queue.check()).health is Health.HEALTHY


async def is_unhealthy(queue: RabbitMessageQueue) -> bool:
    return (await queue.check()).health is Health.UNHEALTHY


async def test_a_subscription_survives_a_cut_line(
    queue: RabbitMessageQueue, line: tuple[Link, str], name: str
) -> None:
    """What was out comes again, and what is said about the old deliveries is passed over."""
    link, _ = line
    sent = envelopes(5)
    await queue.publish(name, sent)
    async with queue.subscribe(name, prefetch=3) as subscription:
        old = [await subscription.receive() for _ in range(2)]
        link.cut()
        await all_received(subscription, sent)
        await old[0].acknowledge()
        await old[1].release()
        await published(queue, name, more := envelopes(3))
        await all_received(subscription, more)
    await until(lambda: is_healthy(queue))


async def test_who_publishes_while_the_line_is_down_waits_for_it(
    queue: RabbitMessageQueue, line: tuple[Link, str], name: str
) -> None:
    """And is told when it takes too long."""
    link, _ = line
    link.is_down = True
    link.cut()
    await until(lambda: is_unhealthy(queue))
    publishing = asyncio.create_task(queue.publish(name, sent := envelopes(3)))
    await asyncio.sleep(0.1)
    assert not publishing.done()
    link.is_down = False
    async with asyncio.timeout(PATIENCE):
        assert await publishing == 3
    async with queue.subscribe(name, prefetch=3) as subscription:
        assert await received(subscription, 3) == sent


async def test_publishing_that_takes_too_long_is_unavailable(line: tuple[Link, str]) -> None:
    """The time limit holds for the wait for a connection as well."""
    link, url = line
    async with RabbitMessageQueue([url], timing=replace(QUICK, publish=0.3)) as queue:
        link.is_down = True
        link.cut()
        await until(lambda: is_unhealthy(queue))
        with pytest.raises(RabbitUnavailable):
            await queue.publish(f"exec:{uuid4()}:q", envelopes(1))
        with pytest.raises(RabbitUnavailable):
            await queue.broadcast("/topic/x", {})


async def test_nothing_is_lost_when_the_line_is_cut_while_publishing(
    queue: RabbitMessageQueue, line: tuple[Link, str], name: str
) -> None:
    """Whoever is told Unavailable publishes again; some may then be there twice."""
    link, _ = line
    sent = envelopes(2000)
    failures = 0
    for start in range(0, len(sent), 200):
        publishing = asyncio.create_task(queue.publish(name, sent[start : start + 200]))
        for _ in range(start // 200):
            await asyncio.sleep(0)
        link.cut()
        try:
            async with asyncio.timeout(PATIENCE):
                await publishing
        except Unavailable:
            failures += 1
            await published(queue, name, sent[start : start + 200])
    async with queue.subscribe(name, prefetch=100) as subscription:
        await all_received(subscription, sent)
    assert failures


async def test_who_ends_a_subscription_and_does_not_wait_disturbs_no_other(
    queue: RabbitMessageQueue, line: tuple[Link, str], name: str
) -> None:
    """A channel that is ordered to close twice costs the connection, and with it every consumer of the process."""
    link, _ = line
    async with queue.subscribe(name, prefetch=3) as other, queue.subscribe(f"{name}-2", prefetch=3) as ended:
        consumer = other.consumer
        link.latency = 0.1
        closing = asyncio.ensure_future(ended.close())
        await asyncio.sleep(0.05)
        await ended.close()
        await closing
        await asyncio.sleep(0.3)
        link.latency = 0.0
        await queue.publish(name, sent := envelopes(2))
        await all_received(other, sent)
        assert other.consumer is consumer
    await queue.delete(f"{name}-2")


async def test_a_line_that_has_fallen_silent_is_given_up(line: tuple[Link, str], name: str) -> None:
    """Nothing is closed, and nothing comes: noticed by asking, long before a heartbeat would be missed."""
    link, url = line
    timing = replace(QUICK, answer=0.5)
    async with (
        RabbitMessageQueue([url], timing=timing) as queue,
        queue.subscribe(name, prefetch=3) as subscription,
    ):
        waiting = asyncio.create_task(received(subscription, 3))
        await asyncio.sleep(0)
        link.is_silent = True
        # Both lines, one after the other.
        await asyncio.sleep(2 * (timing.watch + timing.answer))
        assert await is_unhealthy(queue)
        link.is_silent = False
        await published(queue, name, sent := envelopes(3))
        assert set(await waiting) <= set(sent)
        await until(lambda: is_healthy(queue))


async def test_a_lost_line_is_told_as_one_that_is_tried_for(
    queue: RabbitMessageQueue, line: tuple[Link, str], name: str
) -> None:
    """With the number of tries, until there is a connection again."""
    link, _ = line

    async def has_tried() -> bool:
        return bool((await queue.check()).details["reconnect_attempts"] > 2)  # type: ignore[operator]  # a number

    async with queue.subscribe(name, prefetch=3):
        link.is_down = True
        link.cut()
        await until(has_tried)
        lost = (await queue.check()).details
        link.is_down = False
        await until(lambda: is_healthy(queue))
        found = (await queue.check()).details
    assert [lost[one] for one in TOLD] == [False, "reconnecting", True, []]
    assert lost["subscription_states"] == {
        name: {"state": "reconnecting", "queue": name, "last_message_age_seconds": None}
    }
    assert [found[one] for one in TOLD] == [True, "healthy", False, [name]]
    assert found["reconnect_attempts"] == 0


async def test_a_broker_that_answers_nothing_has_stalled(line: tuple[Link, str]) -> None:
    """Before the line is given up: there is a connection, and nothing comes over it."""
    link, url = line
    timing = replace(QUICK, watch=60, answer=0.3)
    async with RabbitMessageQueue([url], timing=timing) as queue:
        link.fall_silent()
        answer = await queue.check()
    assert answer.health is Health.UNHEALTHY
    assert [answer.details[one] for one in TOLD] == [True, "stalled", False, []]


async def test_a_queue_that_is_not_open_tries_for_nothing() -> None:
    answer = await RabbitMessageQueue(["amqp://127.0.0.1:1/"]).check()
    assert [answer.details[one] for one in TOLD] == [False, "stalled", False, []]


async def test_of_several_hosts_one_that_answers_is_taken(line: tuple[Link, str], rabbitmq_url: str) -> None:
    """And another when that one goes away."""
    link, url = line
    nobody = "amqp://guest:guest@127.0.0.1:1/"
    async with RabbitMessageQueue([nobody, url, rabbitmq_url], timing=QUICK) as queue:
        assert (await queue.check()).details["host"] == f"127.0.0.1:{URL(url).port}"
        async with queue.subscribe(f"exec:{uuid4()}:q", prefetch=3) as subscription:
            name = subscription.queue.name
            link.is_down = True
            link.cut()
            await published(queue, name, sent := envelopes(2))
            await all_received(subscription, sent)
            await until(lambda: is_healthy(queue))
            assert (await queue.check()).details[
                "host"
            ] == f"{URL(rabbitmq_url).host}:{URL(rabbitmq_url).port}"
            await queue.delete(name)


async def test_a_listener_hears_again_after_a_cut(queue: RabbitMessageQueue, line: tuple[Link, str]) -> None:
    """What was said meanwhile is gone, what is said afterwards is heard."""
    link, _ = line
    topic = f"/topic/{uuid4()}"
    async with queue.listen(topic) as heard:
        link.cut()
        hearing = asyncio.ensure_future(anext(heard))
        async with asyncio.timeout(PATIENCE):
            while not hearing.done():
                try:
                    await queue.broadcast(topic, {"again": True})
                except Unavailable:
                    continue
                await asyncio.wait([hearing], timeout=0.02)
        assert await hearing == {"again": True}


async def test_a_subscription_that_begins_without_a_broker_begins_all_the_same(
    queue: RabbitMessageQueue, line: tuple[Link, str], name: str
) -> None:
    """It waits until the broker answers: an outage of ours must fail nobody's run."""
    link, _ = line
    link.is_down = True
    link.cut()
    await until(lambda: is_unhealthy(queue))
    async with queue.subscribe(name, prefetch=3) as subscription:
        assert (await queue.check()).health is Health.UNHEALTHY
        link.is_down = False
        async with asyncio.timeout(PATIENCE):
            await queue.publish(name, sent := envelopes(1))
        assert await received(subscription, 1) == sent


async def test_a_queue_that_is_deleted_without_a_broker_goes_when_it_answers(
    queue: RabbitMessageQueue, line: tuple[Link, str], name: str, rabbitmq_url: str
) -> None:
    """The end of a run does not wait for the broker, and leaves nothing behind."""
    link, _ = line
    await queue.publish(name, envelopes(1))
    link.is_down = True
    link.cut()
    await until(lambda: is_unhealthy(queue))
    await queue.delete(name)
    link.is_down = False
    await until(lambda: _is_gone(rabbitmq_url, name))


async def _is_gone(url: str, name: str) -> bool:
    async with foreign_hand(url) as hand:
        try:
            await hand.declare_queue(name, passive=True)
        except ChannelNotFoundEntity:
            return True
        return False
