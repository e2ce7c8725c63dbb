"""What the in-process queue does beyond its port: a bounded window, no envelope twice, nothing left behind."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.memory.message_queue import InProcessMessageQueue
from adapters.memory.waiting_line import InProcessDelivery, InProcessSubscription
from application.ports.message_queue import Envelope

EXECUTION = UUID(int=1)


def envelope(number: int) -> Envelope:
    return Envelope(message_id=UUID(int=number), execution_id=EXECUTION, route_id="r")


async def test_a_full_queue_takes_the_front_of_what_is_offered() -> None:
    """And tells how much that was; room counts what waits and what is out."""
    queue = InProcessMessageQueue(capacity=3)
    assert await queue.publish("q", [envelope(n) for n in range(5)]) == 3
    assert await queue.room("q") == 0
    async with queue.subscribe("q", prefetch=2) as subscription:
        first = await subscription.receive()
        assert (first.envelope, await queue.room("q")) == (envelope(0), 0)
        await first.acknowledge()
        assert await queue.room("q") == 1
        assert await queue.publish("q", [envelope(3), envelope(4)]) == 1


async def test_an_envelope_that_waits_or_is_out_is_not_taken_twice() -> None:
    """It counts as taken, also when the queue is full; acknowledged, it is taken anew."""
    queue = InProcessMessageQueue(capacity=2)
    await queue.publish("q", [envelope(0), envelope(1)])
    assert await queue.publish("q", [envelope(0), envelope(1), envelope(2)]) == 2
    async with queue.subscribe("q", prefetch=2) as subscription:
        out = await subscription.receive()
        assert await queue.publish("q", [envelope(0)]) == 1
        await out.acknowledge()
        await (await subscription.receive()).acknowledge()
        assert await queue.room("q") == 2
        assert await queue.publish("q", [envelope(0)]) == 1
        assert (await subscription.receive()).envelope == envelope(0)


async def test_what_is_released_or_left_comes_back_at_the_front() -> None:
    """In the order in which it was delivered."""
    queue = InProcessMessageQueue()
    await queue.publish("q", [envelope(n) for n in range(4)])
    async with queue.subscribe("q", prefetch=3) as subscription:
        held = [await subscription.receive() for _ in range(3)]
        await held[1].release()
    async with queue.subscribe("q", prefetch=4) as subscription:
        order = [(await subscription.receive()).envelope.message_id.int for _ in range(4)]
    assert order == [0, 2, 1, 3]


async def test_receivers_are_served_in_the_order_they_came() -> None:
    """Across subscriptions."""
    queue = InProcessMessageQueue()
    async with queue.subscribe("q", prefetch=1) as one, queue.subscribe("q", prefetch=1) as other:
        waiting = []
        for subscription in (other, one):
            waiting.append(asyncio.create_task(subscription.receive()))
            await asyncio.sleep(0)
        await queue.publish("q", [envelope(0), envelope(1)])
        served = [(await task).envelope for task in waiting]
    assert served == [envelope(0), envelope(1)]


async def test_receivers_that_give_up_leave_nothing_behind() -> None:
    """A thousand time-outs do not make the queue any larger; an empty queue without consumers is forgotten."""
    queue = InProcessMessageQueue()
    async with queue.subscribe("q", prefetch=1) as subscription:
        for _ in range(1000):
            task = asyncio.create_task(subscription.receive())
            await asyncio.sleep(0)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        assert len(queue._lines["q"].idle) == 0
        await queue.publish("q", [envelope(0)])
        out = await subscription.receive()
        held_back = asyncio.create_task(subscription.receive())
        await asyncio.sleep(0)
        held_back.cancel()
        await asyncio.gather(held_back, return_exceptions=True)
        assert len(subscription.held_back) == 0
        await out.acknowledge()
    assert queue._lines == {}


async def test_a_prefetch_below_one_is_refused() -> None:
    """It would wait for ever."""
    with pytest.raises(ValueError, match="prefetch"):
        async with InProcessMessageQueue().subscribe("q", prefetch=0):
            pass


async def test_topics_without_listeners_are_forgotten() -> None:
    """Nothing grows with the number of topics that ever were."""
    queue = InProcessMessageQueue()
    async with queue.listen("/topic/a"), queue.listen("/topic/a"):
        pass
    assert queue._listeners._mailboxes == {}


@given(st.lists(st.sampled_from(["publish", "receive", "ack", "release", "leave", "cancel"]), max_size=60))
def test_every_envelope_is_acknowledged_once_whatever_happens(steps: Sequence[str]) -> None:
    """A random history of two consumers ends with each published envelope acknowledged exactly once."""
    asyncio.run(_run_history(steps))


async def _run_history(steps: Sequence[str]) -> None:
    queue = InProcessMessageQueue(capacity=5)
    published: list[Envelope] = []
    acknowledged: list[Envelope] = []
    held: list[InProcessDelivery] = []
    async with queue.subscribe("q", prefetch=3) as lasting:
        for step in steps:
            if step == "publish":
                batch = [Envelope(message_id=uuid4(), execution_id=EXECUTION, route_id="r") for _ in range(3)]
                published += batch[: await queue.publish("q", batch)]
            elif step == "leave":
                async with queue.subscribe("q", prefetch=2) as passing:
                    await _receive_at_once(passing, cancel=False)
            elif step in {"receive", "cancel"}:
                if (delivery := await _receive_at_once(lasting, cancel=step == "cancel")) is not None:
                    held.append(delivery)
            elif held:
                delivery = held.pop(len(held) // 2)
                if step == "release":
                    await delivery.release()
                else:
                    acknowledged.append(delivery.envelope)
                    await delivery.acknowledge()
    async with queue.subscribe("q", prefetch=2) as last:
        while await queue.room("q") < 5:
            delivery = await last.receive()
            acknowledged.append(delivery.envelope)
            await delivery.acknowledge()
    assert sorted(e.message_id for e in acknowledged) == sorted(e.message_id for e in published)


async def _receive_at_once(subscription: InProcessSubscription, *, cancel: bool) -> InProcessDelivery | None:
    task = asyncio.create_task(subscription.receive())
    if not cancel:
        await asyncio.sleep(0)
        await asyncio.sleep(0)
    if task.done():
        return task.result()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    return None
