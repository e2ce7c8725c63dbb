"""What RabbitMQ does to queues and messages that is beyond the port: refusals, losses, foreign things."""

from __future__ import annotations

import asyncio
import logging
import re
import subprocess
import sys
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import cast
from uuid import uuid4

import aio_pika
import aiormq
import pamqp.frame
import pytest
from aio_pika.abc import AbstractChannel
from pamqp.body import ContentBody
from pamqp.commands import Basic
from pamqp.header import ContentHeader
from yarl import URL

from adapters.rabbitmq.confirmed_channel import IN_FLIGHT, content
from adapters.rabbitmq.consumer import Consumer
from adapters.rabbitmq.message_queue import RabbitMessageQueue
from adapters.rabbitmq.names import amqp_name
from adapters.rabbitmq.subscription import RabbitSubscription
from adapters.rabbitmq.translation import (
    QueueDeclaredOtherwise,
    RabbitAddressInvalid,
    RabbitNotPermitted,
    RabbitUnavailable,
    translating,
)
from application.ports.message_queue import Envelope, SubscriptionClosed
from application.ports.readiness import Health
from tests.rabbitmq_hands import PATIENCE, QUICK, envelopes, foreign_hand, received, until

pytestmark = pytest.mark.slow

HOLDER = Path(__file__).with_name("rabbitmq_holder.py")


@pytest.fixture
async def queue(rabbitmq_url: str) -> AsyncIterator[RabbitMessageQueue]:
    async with RabbitMessageQueue([rabbitmq_url], timing=QUICK) as opened:
        yield opened


@pytest.fixture
async def hand(rabbitmq_url: str) -> AsyncIterator[AbstractChannel]:
    async with foreign_hand(rabbitmq_url) as channel:
        yield channel


@pytest.fixture
async def name(queue: RabbitMessageQueue) -> AsyncIterator[str]:
    name = f"exec:{uuid4()}:/queue/work"
    yield name
    await queue.delete(name)


async def test_ten_thousand_envelopes_pass_quickly_and_in_order(queue: RabbitMessageQueue, name: str) -> None:
    """Confirmed in groups and acknowledged in rows, each once."""
    sent = envelopes(10_000)
    async with asyncio.timeout(PATIENCE):
        for start in range(0, len(sent), 500):
            assert await queue.publish(name, sent[start : start + 500]) == 500
        async with queue.subscribe(name, prefetch=200) as subscription:
            assert await received(subscription, len(sent)) == sent


async def test_many_publish_at_once(queue: RabbitMessageQueue, name: str) -> None:
    """More than may be in flight; each publisher's envelopes stay in order."""
    sent = [envelopes(40) for _ in range(IN_FLIGHT // 10)]
    await asyncio.gather(*(queue.publish(name, some) for some in sent))
    async with queue.subscribe(name, prefetch=100) as subscription:
        came = await received(subscription, sum(map(len, sent)))
    for some in sent:
        assert [one for one in came if one.execution_id == some[0].execution_id] == some


async def test_a_publisher_that_is_cancelled_leaves_the_others_their_confirmations(
    queue: RabbitMessageQueue, name: str
) -> None:
    """Whatever moment it is cancelled in: nothing hangs, and nothing is confirmed that is not there."""
    certain = []
    for moment in range(30):
        publishing = asyncio.create_task(queue.publish(name, envelopes(300)))
        for _ in range(moment):
            await asyncio.sleep(0)
        publishing.cancel()
        await asyncio.gather(publishing, return_exceptions=True)
        certain += (more := envelopes(2))
        async with asyncio.timeout(PATIENCE):
            assert await queue.publish(name, more) == 2
    wanted = set(certain)
    async with asyncio.timeout(PATIENCE), queue.subscribe(name, prefetch=200) as subscription:
        while wanted:
            delivery = await subscription.receive()
            wanted.discard(delivery.envelope)
            await delivery.acknowledge()


async def test_messages_are_persistent_and_no_two_have_one_id(
    queue: RabbitMessageQueue, name: str, hand: AbstractChannel
) -> None:
    """Also when the same envelope is published again; the ids that stay the same are in the body."""
    (envelope,) = envelopes(1)
    for _ in range(3):
        await queue.publish(name, [envelope])
    there = await hand.get_queue(name)
    messages = [await there.get(no_ack=True) for _ in range(3)]
    assert {message.delivery_mode for message in messages} == {aio_pika.DeliveryMode.PERSISTENT}
    assert len({message.message_id for message in messages}) == 3
    assert {str(envelope.message_id).encode() in message.body for message in messages} == {True}


@pytest.mark.parametrize("length", [0, 1, 99, 100, 101, 250])
def test_frames_are_those_of_the_protocol_library(length: int) -> None:
    """The header as pamqp writes it, and the body in pieces."""
    body, largest = bytes(range(length % 256)).ljust(length, b"x"), 100
    properties = Basic.Properties(delivery_mode=2, message_id="abc-1f")
    header = ContentHeader(body_size=length, properties=properties)
    pieces = [ContentBody(body[start : start + largest]) for start in range(0, length, largest)]
    frames = [pamqp.frame.marshal(header, 7), *(pamqp.frame.marshal(piece, 7) for piece in pieces)]
    expected = b"".join(frames)
    assert content(7, b"abc-1f", body, largest) == expected


async def test_an_envelope_larger_than_a_frame_passes(queue: RabbitMessageQueue, name: str) -> None:
    """A route's id may be as long as it likes."""
    large = Envelope(message_id=uuid4(), execution_id=uuid4(), route_id="æ" * 200_000)
    await queue.publish(name, [large])
    async with queue.subscribe(name, prefetch=1) as subscription:
        assert await received(subscription, 1) == [large]


async def test_what_is_no_envelope_is_thrown_away_and_told_once(
    queue: RabbitMessageQueue, name: str, hand: AbstractChannel, caplog: pytest.LogCaptureFixture
) -> None:
    """It neither stops the consumer nor comes again."""
    sent = envelopes(2)
    await queue.publish(name, sent[:1])
    foreign = [
        b"",
        b"\xff\xfe",
        b"{}",
        b'{"message_id":',
        b"[]",
        b'{"message_id":"1","execution_id":"2","route_id":3}',
    ]
    for body in foreign:
        await hand.default_exchange.publish(aio_pika.Message(body), name)
    await queue.publish(name, sent[1:])
    with caplog.at_level(logging.WARNING):
        async with queue.subscribe(name, prefetch=1) as subscription:
            assert await received(subscription, 2) == sent
    async with queue.subscribe(name, prefetch=10) as subscription:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.2):
                await subscription.receive()
    assert len([one for one in caplog.records if "thrown away" in one.message]) == len(foreign)


async def test_a_publish_to_a_queue_that_was_deleted_arrives_all_the_same(
    queue: RabbitMessageQueue, name: str, hand: AbstractChannel, caplog: pytest.LogCaptureFixture
) -> None:
    """The broker drops what it cannot route, unless it is asked to return it; then the queue is declared again."""
    await queue.publish(name, envelopes(3))
    await hand.queue_delete(name)
    sent = envelopes(3)
    assert await queue.publish(name, sent) == 3
    assert losses(caplog) == [name]
    async with queue.subscribe(name, prefetch=5) as subscription:
        assert await received(subscription, 3) == sent


async def test_a_consumer_whose_queue_was_deleted_is_put_back(
    queue: RabbitMessageQueue, name: str, hand: AbstractChannel, caplog: pytest.LogCaptureFixture
) -> None:
    """The queue is declared again, and the log tells that something was lost."""
    async with queue.subscribe(name, prefetch=5) as subscription:
        for _ in range(2):
            waiting = asyncio.create_task(received(subscription, 1))
            await hand.queue_delete(name)
            await until(lambda: _has_come_back(queue, hand, name))
            sent = envelopes(1)
            await queue.publish(name, sent)
            assert await waiting == sent
    assert losses(caplog) == [name, name]


def losses(caplog: pytest.LogCaptureFixture) -> list[str]:
    """The queues of which the log tells that what was in them is lost."""
    told = (re.match(r"the queue (\S+) was deleted", record.getMessage()) for record in caplog.records)
    return [match[1] for match in told if match]


async def _has_come_back(queue: RabbitMessageQueue, hand: AbstractChannel, name: str) -> bool:
    return (await queue.check()).health is Health.HEALTHY


async def test_a_queue_that_is_another_is_refused_once_and_holds_up_no_other(
    rabbitmq_url: str, queue: RabbitMessageQueue, name: str
) -> None:
    """406: a clear error to whoever publishes or subscribes, and no loop."""
    async with RabbitMessageQueue([rabbitmq_url], queue_type="quorum", timing=QUICK) as other:
        await other.publish(name, envelopes(1))
        with pytest.raises(QueueDeclaredOtherwise):
            await queue.publish(name, envelopes(1))
        with pytest.raises(QueueDeclaredOtherwise):
            async with queue.subscribe(name, prefetch=1):
                pass
        another = name + "2"
        assert await queue.publish(another, envelopes(1)) == 1
        await queue.delete(another)
        assert (await queue.check()).health is Health.HEALTHY


async def test_a_consumer_that_is_killed_leaves_its_messages_to_others(
    rabbitmq_url: str, queue: RabbitMessageQueue, name: str
) -> None:
    """Those that it had, and those that were on their way to it; the one it acknowledged is gone."""
    sent = envelopes(20)
    await queue.publish(name, sent)
    command = [sys.executable, str(HOLDER), rabbitmq_url, name]
    holder = await asyncio.create_subprocess_exec(*command, stdout=subprocess.PIPE, cwd=HOLDER.parents[2])
    assert holder.stdout is not None
    async with asyncio.timeout(PATIENCE):
        acknowledged = (await holder.stdout.readline()).decode().strip()
        holder.kill()
        await holder.wait()
    assert acknowledged == str(sent[0].message_id)
    async with queue.subscribe(name, prefetch=20) as subscription:
        assert {one.message_id for one in await received(subscription, 19)} == {
            one.message_id for one in sent[1:]
        }


async def test_a_deleted_queue_is_gone_from_the_broker(
    queue: RabbitMessageQueue, name: str, hand: AbstractChannel
) -> None:
    """Also with a consumer, which does not bring it back; a listener leaves nothing either."""
    async with queue.subscribe(name, prefetch=1) as subscription:
        await queue.delete(name)
        with pytest.raises(SubscriptionClosed):
            await subscription.receive()
    await asyncio.sleep(3 * QUICK.watch)
    with pytest.raises(aio_pika.exceptions.ChannelNotFoundEntity):
        await hand.declare_queue(name, passive=True)


@pytest.mark.parametrize(
    "odd", ["", "x" * 300, "å" * 200, "amq.reserved", "nul\x00", "\ud800", "exec:1:/queue/a b/ü#*"]
)
async def test_odd_names_work(queue: RabbitMessageQueue, odd: str) -> None:
    """A name that AMQP cannot have is abridged, and different ones stay different."""
    names = [f"{odd}", f"{odd}-{uuid4()}"]
    assert len({amqp_name(one) for one in names}) == 2
    sent = envelopes(2)
    for one, envelope in zip(names, sent, strict=True):
        await queue.publish(one, [envelope])
    for one, envelope in zip(names, sent, strict=True):
        async with queue.subscribe(one, prefetch=1) as subscription:
            assert await received(subscription, 1) == [envelope]
        await queue.delete(one)


async def test_before_it_is_open_and_after_it_is_closed_it_is_unavailable(rabbitmq_url: str) -> None:
    """And says so to who asks for its health; it can be opened again."""
    queue = RabbitMessageQueue([rabbitmq_url], timing=QUICK)
    name = f"exec:{uuid4()}:q"
    for _ in range(2):
        with pytest.raises(RabbitUnavailable):
            await queue.publish(name, envelopes(1))
        assert (await queue.check()).health is Health.UNHEALTHY
        async with queue:
            assert await queue.publish(name, envelopes(1)) == 1
            assert (await queue.check()).health is Health.HEALTHY
            await queue.delete(name)


async def test_closing_tells_whoever_waits(rabbitmq_url: str) -> None:
    """A subscription that is still there when the queue is closed ends."""
    async with RabbitMessageQueue([rabbitmq_url], timing=QUICK) as queue:
        context = queue.subscribe(name := f"exec:{uuid4()}:q", prefetch=1)
        subscription = await context.__aenter__()
        waiting = asyncio.create_task(subscription.receive())
        await asyncio.sleep(0)
        await queue.delete(name)
    with pytest.raises(SubscriptionClosed):
        await waiting
    await context.__aexit__(None, None, None)


async def test_without_a_broker_it_does_not_open_and_says_why() -> None:
    """Naming the host, and never the password."""
    quick = replace(QUICK, open=0.3)
    queue = RabbitMessageQueue(["amqp://user:secret@127.0.0.1:1/"], timing=quick)
    with pytest.raises(RabbitUnavailable, match=r"127\.0\.0\.1:1") as caught:
        async with queue:
            pass
    assert "secret" not in str(caught.value)


async def test_a_login_that_is_refused_is_named_as_the_reason(rabbitmq_url: str) -> None:
    """It is tried again all the same: the user may be made a moment later."""
    url = str(URL(rabbitmq_url).with_user("nobody").with_password("secret"))
    with pytest.raises(RabbitUnavailable, match="ACCESS_REFUSED") as caught:
        async with RabbitMessageQueue([url], timing=replace(QUICK, open=1.0)):
            pass
    assert "secret" not in str(caught.value)


async def test_what_the_broker_forbids_is_not_permitted(queue: RabbitMessageQueue) -> None:
    """Names that are the broker's own are forbidden to everybody."""
    with pytest.raises(RabbitNotPermitted), translating():
        await queue._control.declare("amq.forbidden", {})
    assert (await queue.check()).health is Health.HEALTHY


async def test_a_consumer_that_the_broker_does_not_know_is_put_back(
    queue: RabbitMessageQueue, name: str
) -> None:
    """Nothing is said and nothing is closed; it is found by asking how many consumers the queue has."""
    async with queue.subscribe(name, prefetch=5) as subscription:
        before = await forgotten(subscription)
        await queue.publish(name, sent := envelopes(2))
        assert await received(subscription, 2) == sent
        assert subscription.consumer is not before


async def forgotten(subscription: RabbitSubscription) -> Consumer:
    """Have the broker forget its consumer, of which that is not told."""
    consumer = subscription.consumer
    assert consumer is not None
    (tag,) = cast("aiormq.Channel", consumer._channel).consumers
    await consumer._channel.basic_cancel(tag)
    return consumer


async def test_a_consumer_that_the_broker_does_not_know_is_put_back_though_others_consume(
    rabbitmq_url: str, queue: RabbitMessageQueue, name: str
) -> None:
    """The count of consumers is of all processes; it is found by what waits, and is not given to it."""
    async with (
        RabbitMessageQueue([rabbitmq_url], timing=QUICK) as other,
        other.subscribe(name, prefetch=1) as busy,
        queue.subscribe(name, prefetch=5) as subscription,
    ):
        before = await forgotten(subscription)
        await queue.publish(name, sent := envelopes(3))
        held = await busy.receive()
        assert [held.envelope, *await received(subscription, 2)] == sent
        assert subscription.consumer is not before


async def test_a_consumer_that_has_its_hands_full_is_left_alone(
    queue: RabbitMessageQueue, name: str, caplog: pytest.LogCaptureFixture
) -> None:
    """So is one with nothing to do: what was given would come again for nothing."""
    async with (
        queue.subscribe(name, prefetch=2) as full,
        queue.subscribe(idle := name + "2", prefetch=2),
    ):
        await queue.publish(name, envelopes(5))
        for _ in range(2):
            await full.receive()
        await asyncio.sleep(10 * QUICK.watch)
    await queue.delete(idle)
    assert "is set up again" not in caplog.text


@pytest.mark.parametrize(
    "address", ["", "http://localhost", "amqp://", "amqp://host:port/", "localhost:5672"]
)
def test_what_is_no_address_is_refused(address: str) -> None:
    """At once, not when it is opened."""
    with pytest.raises(RabbitAddressInvalid):
        RabbitMessageQueue([address])
    with pytest.raises(RabbitAddressInvalid):
        RabbitMessageQueue([])
