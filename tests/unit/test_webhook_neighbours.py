"""What endpoints do to each other, and what an endpoint that changes its manners does to itself."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from statistics import median
from uuid import uuid4

import pytest

from adapters.memory.clock import ManualClock
from adapters.memory.event_bus import InProcessEventBus
from adapters.memory.webhook_queue import MemoryWebhookQueue
from application.ports.webhook_queue import Recorded, Standing
from application.ports.webhook_sender import WebhookRequest
from application.webhooks.delivery_worker import DeliveryWorker, WorkerSettings
from domain.webhooks.delivery import Answer, DeliveryState
from domain.webhooks.event import WebhookEvent
from tests.unit.webhook_workers import URL, Post, working

SETTINGS = WorkerSettings(record_seconds=0, poll_seconds=1)


@dataclass(slots=True)
class Timed:
    """An endpoint for each address, that answers after so many seconds; ``arrived`` is when each request came."""

    clock: ManualClock | None = None
    seconds: dict[str, float] = field(default_factory=dict)
    answers: dict[int, Answer] = field(default_factory=dict)
    arrived: dict[str, list[float]] = field(default_factory=dict)
    count: int = 0

    async def __call__(self, request: WebhookRequest) -> Answer:
        if self.clock is None:
            raise AssertionError("the endpoint has no clock")
        answer = Answer(status=200)
        if request.url == URL:
            self.count += 1
            answer = self.answers.get(self.count, answer)
            self.arrived.setdefault(request.headers["webhook-id"], []).append(self.clock.monotonic())
        if seconds := self.seconds.get(request.url, self.seconds.get("", 0.0)):
            await self.clock.sleep(seconds)
        return answer


async def pass_seconds(post: Post, seconds: int) -> None:
    """Second by second."""
    for _ in range(seconds):
        await post.clock.advance(1)
        for _ in range(60):
            await asyncio.sleep(0)


@pytest.mark.parametrize("neighbours", [10, 60, 120])
async def test_slow_endpoints_do_not_hold_up_a_quick_one(neighbours: int) -> None:
    """However many there are, and though each of them answers in the end, so that no breaker opens."""
    endpoint = Timed(seconds={URL: 0.0, "": 14.0})
    async with working(endpoint=endpoint, settings=SETTINGS) as post:
        endpoint.clock = post.clock
        for number in range(neighbours):
            await post.subscribed(f"https://example.org/slow{number}", "execution.started")
        await post.subscribed()
        await post.happened(40, "execution.started")
        for _ in range(30):
            completed(post)
            await pass_seconds(post, 1)
        await pass_seconds(post, 5)
        assert len(endpoint.arrived) == 30
        late = [came[0] - (1 + number) for number, came in enumerate(endpoint.arrived.values())]
        assert median(late) <= 1
        assert max(late) <= 2


def completed(post: Post) -> None:
    """A completed execution, that the worker finds when it polls."""
    now = post.clock.now()
    post.store.publish(WebhookEvent(id=uuid4(), type="execution.completed", occurred_at=now, data={}))


async def learned_that_it_is_quick(post: Post) -> None:
    """Much has been delivered in no time, so that a worker takes up much at once."""
    for _ in range(10):
        await post.happened(50)
    for _ in range(20):
        await post.settle()


async def test_an_endpoint_that_becomes_slow_is_told_nothing_twice() -> None:
    """What was taken up for a quick one would outlast its claims; another worker is there to take it then."""
    endpoint = Timed()
    async with working(endpoint=endpoint, settings=SETTINGS) as post:
        endpoint.clock = post.clock
        worker = post.worker
        other = DeliveryWorker(
            queue=worker.queue,
            subscriptions=worker.subscriptions,
            attempting=worker.attempting,
            care=worker.care,
            events=InProcessEventBus(),
            settings=SETTINGS,
        )
        await post.subscribed()
        await learned_that_it_is_quick(post)
        endpoint.seconds[URL] = 14.0
        endpoint.arrived.clear()
        await post.happened(400)
        async with other:
            await pass_seconds(post, 400)
        await pass_seconds(post, 60)
    assert Counter(map(len, endpoint.arrived.values())) == {1: 400}


async def test_a_short_rest_costs_what_was_taken_up_no_more_than_the_rest() -> None:
    """What waited goes back at once, and counts as no attempt."""
    endpoint = Timed()
    async with working(endpoint=endpoint, settings=SETTINGS) as post:
        endpoint.clock = post.clock
        subscription = await post.subscribed()
        await learned_that_it_is_quick(post)
        endpoint.answers = {endpoint.count + 20: Answer(status=429, headers={"Retry-After": "1"})}
        await post.happened(400)
        await pass_seconds(post, 5)
        left = [one for one in post.of(subscription) if one.state is not DeliveryState.DELIVERED]
        assert len(left) == 1
        assert Counter(one.attempts for one in post.of(subscription)) == {1: 900}


async def test_what_was_taken_up_is_given_back_at_the_end() -> None:
    """So that whoever comes next need not wait for the claims."""
    endpoint = Timed()
    async with working(endpoint=endpoint, settings=SETTINGS) as post:
        endpoint.clock = post.clock
        subscription = await post.subscribed()
        await learned_that_it_is_quick(post)
        endpoint.seconds[URL] = 0.5
        await post.happened(100)
        closing = asyncio.ensure_future(post.worker.__aexit__(None, None, None))
        await pass_seconds(post, 2)
        await closing
        left = [one for one in post.of(subscription) if one.state is DeliveryState.PENDING]
        assert len(left) == 90
        assert {
            (one.attempts, one.due_at is not None and one.due_at <= post.clock.now()) for one in left
        } == {(0, True)}


class Particular(MemoryWebhookQueue):
    """One that cannot keep every header, as a database cannot."""

    async def record(self, recorded: Sequence[Recorded]) -> Sequence[Standing]:
        for one in recorded:
            "".join(one.attempt.answer.headers.values()).encode()
        return await super().record(recorded)


async def test_an_answer_that_cannot_be_kept_is_still_an_answer() -> None:
    """Otherwise the delivery would be sent for ever."""
    odd = Answer(status=200, headers={"X": "caf\udcff"}, body=b"yes")
    async with working(odd, queue=Particular) as post:
        subscription = await post.subscribed()
        await post.happened(3)
        assert {one.state for one in post.of(subscription)} == {DeliveryState.DELIVERED}
        (attempt,) = (await post.deliveries.get(post.of(subscription)[0].id)).attempts
        assert (attempt.answer.status, dict(attempt.answer.headers), attempt.answer.body) == (200, {}, b"")
