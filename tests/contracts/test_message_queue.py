"""The behaviour that ``application.ports.message_queue`` promises, for every queue."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from typing import Any, cast
from uuid import uuid4

import pytest

from adapters.memory.message_queue import InProcessMessageQueue
from adapters.rabbitmq.message_queue import RabbitMessageQueue
from adapters.rabbitmq.queue_arguments import QueueType
from application.ports.message_queue import Envelope, MessageQueue, Subscription, SubscriptionClosed
from application.ports.readiness import Readiness

PATIENCE = 10.0
EXECUTION = uuid4()


@asynccontextmanager
async def in_process(_: pytest.FixtureRequest) -> AsyncIterator[MessageQueue]:
    yield InProcessMessageQueue()


def rabbit(
    queue_type: QueueType,
) -> Callable[[pytest.FixtureRequest], AbstractAsyncContextManager[MessageQueue]]:
    @asynccontextmanager
    async def opened(request: pytest.FixtureRequest) -> AsyncIterator[MessageQueue]:
        async with RabbitMessageQueue(
            [request.getfixturevalue("rabbitmq_url")], queue_type=queue_type
        ) as queue:
            yield queue

    return opened


@dataclass(frozen=True)
class Backend:
    """A queue under test. ``quiet`` is how many seconds without a delivery mean that none will come."""

    opened: Callable[[pytest.FixtureRequest], AbstractAsyncContextManager[MessageQueue]]
    quiet: float


BACKENDS = {
    "in_process": Backend(in_process, quiet=0.02),
    "rabbit": Backend(rabbit("classic"), quiet=0.15),
    "rabbit_quorum": Backend(rabbit("quorum"), quiet=0.15),
}
SLOW = pytest.mark.slow
QUIET: dict[str, object] = {
    "connected": True,
    "health_state": "healthy",
    "last_message_age_seconds": None,
    "reconnect_attempts": 0,
    "reconnect_in_progress": False,
    "active_subscriptions": [],
    "subscription_states": {},
}
"""The details of a queue that nobody has used."""


@pytest.fixture(
    params=["in_process", pytest.param("rabbit", marks=SLOW), pytest.param("rabbit_quorum", marks=SLOW)]
)
def backend(request: pytest.FixtureRequest) -> Backend:
    return BACKENDS[request.param]


@pytest.fixture
async def queue(backend: Backend, request: pytest.FixtureRequest) -> AsyncIterator[MessageQueue]:
    async with backend.opened(request) as opened:
        yield opened


@pytest.fixture
async def name(queue: MessageQueue) -> AsyncIterator[str]:
    name = f"exec:{uuid4()}:/queue/work"
    yield name
    await queue.delete(name)


def envelopes(count: int) -> list[Envelope]:
    return [Envelope(message_id=uuid4(), execution_id=EXECUTION, route_id="a route/æ") for _ in range(count)]


async def receive(subscription: Subscription, count: int) -> list[Envelope]:
    """Receive and acknowledge."""
    received = []
    for _ in range(count):
        async with asyncio.timeout(PATIENCE):
            delivery = await subscription.receive()
        received.append(delivery.envelope)
        await delivery.acknowledge()
    return received


async def nothing_comes(subscription: Subscription, quiet: float) -> bool:
    try:
        async with asyncio.timeout(quiet):
            await subscription.receive()
    except TimeoutError:
        return True
    return False


async def test_envelopes_come_whole_and_in_the_order_published(queue: MessageQueue, name: str) -> None:
    """Order within one queue, over several calls."""
    sent = envelopes(20)
    assert await queue.publish(name, sent[:15]) == 15
    assert await queue.publish(name, sent[15:]) == 5
    async with queue.subscribe(name, prefetch=4) as subscription:
        assert await receive(subscription, 20) == sent


async def details(queue: MessageQueue) -> dict[str, Any]:
    """What the queue tells of itself when somebody looks for a fault."""
    return dict((await cast("Readiness", queue).check()).details)


async def test_its_details_tell_who_is_given_messages(queue: MessageQueue, name: str) -> None:
    """And how long ago the last one came, also when nobody is given any more."""
    before = await details(queue)
    assert {key: before[key] for key in QUIET} == QUIET
    await queue.publish(name, envelopes(1))
    async with queue.subscribe(name, prefetch=1) as first:
        await receive(first, 1)
        async with queue.subscribe(name, prefetch=1):
            told = await details(queue)
    assert told["active_subscriptions"] == [name, f"{name}#2"]
    one, other = (told["subscription_states"][id_] for id_ in (name, f"{name}#2"))
    assert (one["state"], one["queue"]) == (other["state"], other["queue"]) == ("active", name)
    assert 0 <= one["last_message_age_seconds"] == told["last_message_age_seconds"] < PATIENCE
    assert other["last_message_age_seconds"] is None
    after = await details(queue)
    assert (after["active_subscriptions"], after["subscription_states"]) == ([], {})
    assert after["last_message_age_seconds"] > told["last_message_age_seconds"]


async def test_publishing_nothing_takes_nothing(queue: MessageQueue, name: str) -> None:
    """An empty batch is no error."""
    assert await queue.publish(name, []) == 0


async def test_a_waiting_consumer_gets_what_is_published_later(queue: MessageQueue, name: str) -> None:
    """receive() waits for a delivery."""
    sent = envelopes(1)
    async with queue.subscribe(name, prefetch=1) as subscription:
        waiting = asyncio.create_task(receive(subscription, 1))
        await asyncio.sleep(0.01)
        await queue.publish(name, sent)
        assert await waiting == sent


async def test_an_acknowledged_envelope_does_not_come_again(
    queue: MessageQueue, name: str, backend: Backend
) -> None:
    """Nor after its subscription has ended."""
    sent = envelopes(2)
    await queue.publish(name, sent)
    async with queue.subscribe(name, prefetch=5) as subscription:
        await receive(subscription, 2)
    async with queue.subscribe(name, prefetch=5) as subscription:
        assert await nothing_comes(subscription, backend.quiet)


async def test_acknowledging_twice_or_after_a_release_changes_nothing(
    queue: MessageQueue, name: str, backend: Backend
) -> None:
    """The first word about a delivery counts."""
    sent = envelopes(1)
    await queue.publish(name, sent)
    async with queue.subscribe(name, prefetch=5) as subscription:
        first = await subscription.receive()
        await first.release()
        await first.acknowledge()
        again = await subscription.receive()
        assert again.envelope == sent[0]
        await again.acknowledge()
        await again.acknowledge()
        await first.acknowledge()
        assert await nothing_comes(subscription, backend.quiet)


async def test_a_released_envelope_comes_again(queue: MessageQueue, name: str) -> None:
    """To another consumer, or to the same one."""
    sent = envelopes(3)
    await queue.publish(name, sent)
    async with queue.subscribe(name, prefetch=3) as subscription:
        delivery = await subscription.receive()
        await delivery.release()
        assert set(await receive(subscription, 3)) == set(sent)


async def test_no_more_than_the_prefetch_is_out_to_one_subscription(
    queue: MessageQueue, name: str, backend: Backend
) -> None:
    """The next one comes when one is acknowledged."""
    await queue.publish(name, envelopes(5))
    async with queue.subscribe(name, prefetch=2) as subscription:
        held = [await subscription.receive() for _ in range(2)]
        assert await nothing_comes(subscription, backend.quiet)
        await held[0].acknowledge()
        async with asyncio.timeout(PATIENCE):
            await subscription.receive()
        assert await nothing_comes(subscription, backend.quiet)


async def test_several_subscriptions_share_the_work(queue: MessageQueue, name: str) -> None:
    """Each envelope goes to one of them."""
    sent = envelopes(40)
    async with (
        queue.subscribe(name, prefetch=3) as one,
        queue.subscribe(name, prefetch=3) as other,
    ):
        received: list[Envelope] = []
        shares = {"one": 0, "other": 0}
        finished = asyncio.Event()

        async def work(who: str, subscription: Subscription) -> None:
            while True:
                delivery = await subscription.receive()
                await asyncio.sleep(0)
                received.append(delivery.envelope)
                shares[who] += 1
                await delivery.acknowledge()
                if len(received) == len(sent):
                    finished.set()

        workers = [asyncio.create_task(work(who, at)) for who, at in [("one", one), ("other", other)] * 2]
        await queue.publish(name, sent)
        async with asyncio.timeout(PATIENCE):
            await finished.wait()
        for worker in workers:
            worker.cancel()
        await asyncio.gather(*workers, return_exceptions=True)
    assert sorted(e.message_id for e in received) == sorted(e.message_id for e in sent)
    assert min(shares.values()) > 0


async def test_leaving_a_subscription_returns_what_it_holds(queue: MessageQueue, name: str) -> None:
    """Unacknowledged deliveries are another consumer's; a late acknowledgement takes nothing away."""
    sent = envelopes(5)
    await queue.publish(name, sent)
    async with queue.subscribe(name, prefetch=3) as subscription:
        held = [await subscription.receive() for _ in range(3)]
    await held[0].acknowledge()
    await held[1].release()
    async with queue.subscribe(name, prefetch=5) as subscription:
        assert {e.message_id for e in await receive(subscription, 5)} == {e.message_id for e in sent}


async def test_a_receiver_that_is_cancelled_loses_nothing(queue: MessageQueue, name: str) -> None:
    """Even when it is cancelled in the moment in which its delivery arrives."""
    sent = envelopes(20)
    async with queue.subscribe(name, prefetch=20) as subscription:
        for envelope in sent:
            waiting = asyncio.create_task(subscription.receive())
            await asyncio.sleep(0)
            await queue.publish(name, [envelope])
            waiting.cancel()
            result = (await asyncio.gather(waiting, return_exceptions=True))[0]
            if not isinstance(result, BaseException):
                await result.release()
        assert set(await receive(subscription, 20)) == set(sent)


async def test_a_closed_subscription_says_so(queue: MessageQueue, name: str) -> None:
    """Who waits is told, and who asks afterwards."""
    async with queue.subscribe(name, prefetch=1) as subscription:
        waiting = asyncio.create_task(subscription.receive())
        await asyncio.sleep(0.01)
    with pytest.raises(SubscriptionClosed):
        async with asyncio.timeout(PATIENCE):
            await waiting
    with pytest.raises(SubscriptionClosed):
        await subscription.receive()


async def test_deleting_a_queue_drops_what_is_in_it_and_ends_its_subscriptions(
    queue: MessageQueue, name: str, backend: Backend
) -> None:
    """A queue of that name can come into being anew, and is empty then."""
    await queue.publish(name, envelopes(3))
    async with queue.subscribe(name, prefetch=1) as subscription:
        held = await subscription.receive()
        waiting = asyncio.create_task(subscription.receive())
        await asyncio.sleep(0.01)
        await queue.delete(name)
        with pytest.raises(SubscriptionClosed):
            async with asyncio.timeout(PATIENCE):
                await waiting
        await held.release()
        async with queue.subscribe(name, prefetch=1) as anew:
            assert await nothing_comes(anew, backend.quiet)


async def test_deleting_a_queue_that_is_not_there_is_no_error(queue: MessageQueue) -> None:
    """Nor deleting it twice."""
    await queue.delete("exec:none:/queue/none")
    await queue.delete("exec:none:/queue/none")


async def test_queues_do_not_mix(queue: MessageQueue, name: str, backend: Backend) -> None:
    """What is published to one is not in another whose name begins the same."""
    await queue.publish(name, envelopes(1))
    other = name + "2"
    async with queue.subscribe(other, prefetch=1) as subscription:
        assert await nothing_comes(subscription, backend.quiet)
    await queue.delete(other)


async def test_there_is_room_in_a_queue_that_does_not_exist(queue: MessageQueue) -> None:
    """Asking for room brings nothing into being and raises nothing."""
    assert await queue.room("exec:none:/queue/none") > 0


async def test_a_broadcast_reaches_everyone_who_listens(queue: MessageQueue) -> None:
    """In the order sent, to each listener of that topic and no other."""
    topic = f"/topic/{uuid4()}"
    async with (
        queue.listen(topic) as one,
        queue.listen(topic) as other,
        queue.listen(topic + "2") as stranger,
    ):
        for number in range(3):
            await queue.broadcast(topic, {"number": number, "text": "å"})
        await queue.broadcast(topic + "2", {"number": 99})
        async with asyncio.timeout(PATIENCE):
            for listener in (one, other):
                assert [(await anext(listener))["number"] for _ in range(3)] == [0, 1, 2]
            assert (await anext(stranger))["number"] == 99


async def test_a_broadcast_without_listeners_is_gone(queue: MessageQueue, backend: Backend) -> None:
    """Who comes later does not get it."""
    topic = f"/topic/{uuid4()}"
    await queue.broadcast(topic, {"number": 1})
    async with queue.listen(topic) as listener:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(backend.quiet):
                await anext(listener)


async def test_a_slow_listener_holds_up_no_one(queue: MessageQueue) -> None:
    """It loses the oldest; the latest is kept."""
    topic = f"/topic/{uuid4()}"
    async with queue.listen(topic) as listener:
        async with asyncio.timeout(PATIENCE):
            for number in range(3000):
                await queue.broadcast(topic, {"number": number})
            last: object = None
            while last != 2999:
                last = (await anext(listener))["number"]
