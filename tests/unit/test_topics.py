"""Topics: what is said on them beside the ledger, and what becomes of it where a route listens."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from uuid import uuid4

import pytest

from adapters.memory.message_queue import InProcessMessageQueue
from application.engine import topics
from application.engine.topics import Broadcasts
from application.ports.pipeline_adapter import AdapterResult, Emission, PipelineContext
from domain.broadcast import Broadcast, heard_in
from domain.errors import Refused, Unavailable
from domain.execution import ExecutionStatus
from domain.json import JsonObject
from tests.unit.engines import Act, bench, ended_well
from tests.unit.yaml_pipelines import Seen, emitting, pipeline_of

SPEAKER = """
version: "1.0"
routes:
  speak:
    inbound: {queue: speak}
    adapters: [{type: emit}]
    outbound:
      - queue: /topic/news
        condition: {field: n, operator: less_than, value: 3}
"""
LISTENER = """
version: "1.0"
routes:
  hold:
    inbound: {queue: hold}
    adapters: [{type: hold}]
  listen:
    inbound: {queue: /topic/news}
    adapters: [{type: see}]
    outbound: end
  also:
    inbound: {queue: /topic/news}
    adapters: [{type: see}]
  end:
    inbound: {queue: end}
    adapters: [{type: see}]
"""


class Hold:
    """Keeps an execution running until a test lets it go."""

    def __init__(self) -> None:
        self.may_end = asyncio.Event()

    async def __call__(self, context: PipelineContext) -> AdapterResult:
        await self.may_end.wait()
        return AdapterResult(message=context.message)


async def came(seen: Seen, route: str, count: int) -> None:
    """Wait until so many messages have come to a route."""
    async with asyncio.timeout(10):
        while len(seen.payloads.get(route, ())) < count:  # noqa: ASYNC110 (nothing else tells it)
            await asyncio.sleep(0.002)


async def test_what_is_said_reaches_every_route_that_listens_and_is_accounted_for() -> None:
    """In another execution, on two routes, and on to a queue; the run ends only when all of it is settled."""
    seen, hold = Seen(), Hold()
    acts: dict[str, Act] = {"emit": emitting(*({"n": n} for n in range(5))), "see": seen, "hold": hold}
    async with bench(acts) as on:
        listening = await on.start(*pipeline_of(LISTENER).routes.values())
        assert ended_well(await on.run(*pipeline_of(SPEAKER).routes.values()))
        for route in ("listen", "also", "end"):
            await came(seen, route, 3)
        hold.may_end.set()
        ended = await on.ended(listening.id)
    assert ended_well(ended)
    assert [seen.at(route) for route in ("listen", "also", "end")] == [[0, 1, 2]] * 3
    assert ended.counts.done == 1 + 3 + 3 + 3


async def test_each_execution_that_listens_hears_it() -> None:
    """A topic is shared; the messages made of it are not."""
    seen, hold = Seen(), Hold()
    async with bench({"emit": emitting({"n": 1}), "see": seen, "hold": hold}) as on:
        two = [await on.start(*pipeline_of(LISTENER).routes.values()) for _ in range(2)]
        await on.run(*pipeline_of(SPEAKER).routes.values())
        await came(seen, "end", 2)
        hold.may_end.set()
        assert all([ended_well(await on.ended(one.id)) for one in two])


async def test_a_broadcast_that_nobody_hears_is_gone() -> None:
    """It holds up no completion, and an execution that has ended takes no part."""
    seen, hold = Seen(), Hold()
    hold.may_end.set()
    async with bench({"emit": emitting({"n": 1}), "see": seen, "hold": hold}) as on:
        assert ended_well(await on.run(*pipeline_of(LISTENER).routes.values()))
        assert ended_well(await on.run(*pipeline_of(SPEAKER).routes.values()))
        await asyncio.sleep(0.02)
    assert seen.payloads == {}


async def test_the_death_of_what_was_heard_does_not_fail_the_run() -> None:
    """It is no init message."""
    hold = Hold()
    dead = asyncio.Event()

    async def fail(_: PipelineContext) -> AdapterResult:
        dead.set()
        raise ValueError("never")

    text = LISTENER.replace(
        "adapters: [{type: see}]", "adapters: [{type: fail}]\n    error_handling: {max_retries: 0}"
    )
    async with bench({"emit": emitting({"n": 1}), "fail": fail, "hold": hold}) as on:
        listening = await on.start(*pipeline_of(text).routes.values())
        await on.run(*pipeline_of(SPEAKER).routes.values())
        await dead.wait()
        hold.may_end.set()
        ended = await on.ended(listening.id)
    assert (ended.status, ended.counts.dead) == (ExecutionStatus.COMPLETED, 2)


async def test_nothing_is_said_before_the_settlement_nor_by_what_fails() -> None:
    """A message that is tried again says it once, when it is done."""
    seen, hold = Seen(), Hold()

    async def emissions(attempt: int) -> AsyncIterator[Emission]:
        yield Emission(payload={"n": 1})
        if attempt == 1:
            raise ValueError("once")

    async def emit(context: PipelineContext) -> AdapterResult:
        return AdapterResult(message={}, emitted=emissions(context.attempt))

    text = SPEAKER.replace("outbound:", "error_handling: {retry_delay_seconds: 0.01}\n    outbound:")
    async with bench({"emit": emit, "see": seen, "hold": hold}) as on:
        listening = await on.start(*pipeline_of(LISTENER).routes.values())
        assert ended_well(await on.run(*pipeline_of(text).routes.values()))
        await came(seen, "end", 1)
        hold.may_end.set()
        await on.ended(listening.id)
    assert seen.at("listen") == [1]


async def test_a_long_stream_is_said_chunk_by_chunk() -> None:
    """So that it need not be kept until its end."""
    seen, hold, may_end = Seen(), Hold(), asyncio.Event()

    async def emissions() -> AsyncIterator[Emission]:
        for number in range(300):
            yield Emission(payload={"n": number % 3})
        await may_end.wait()

    async def emit(context: PipelineContext) -> AdapterResult:
        return AdapterResult(message={}, emitted=emissions())

    async with bench({"emit": emit, "see": seen, "hold": hold}) as on:
        listening = await on.start(*pipeline_of(LISTENER).routes.values())
        speaking = await on.start(*pipeline_of(SPEAKER).routes.values())
        await came(seen, "end", 200)
        may_end.set()
        assert ended_well(await on.ended(speaking.id))
        hold.may_end.set()
        assert ended_well(await on.ended(listening.id))


def said(number: int) -> Broadcast:
    return Broadcast(
        id=uuid4(), topic="/topic/t", payload={"n": number}, execution_id=uuid4(), message_id=uuid4()
    )


def test_a_broadcast_travels_as_json() -> None:
    """And nonsense is recognised."""
    one = said(1)
    assert heard_in(one.as_json()) == one
    for nonsense in ({}, {"n": 1}, {**one.as_json(), "id": "x"}, {**one.as_json(), "payload": 5}):
        assert heard_in(nonsense) is None


def test_what_is_heard_twice_is_one_message_of_each_route() -> None:
    """Its id derives from broadcast, execution and route; lineage leads back within one execution only."""
    one, other = said(1), uuid4()
    assert one.message_for(other, "r").id == one.message_for(other, "r").id
    assert len({one.message_for(of, route).id for of in (other, one.execution_id) for route in "ab"}) == 4
    assert one.message_for(other, "r").parent_id == one.message_id


async def test_nonsense_on_a_topic_is_passed_over() -> None:
    """And what comes after it is heard."""
    seen, hold = Seen(), Hold()
    async with bench({"see": seen, "hold": hold}) as on:
        listening = await on.start(*pipeline_of(LISTENER).routes.values())
        queue = on.engine.ports.queue
        await queue.broadcast("/topic/news", {"no": "broadcast"})
        await queue.broadcast("/topic/news", {**said(1).as_json(), "payload": {"n": "a\0b"}})
        await queue.broadcast("/topic/news", said(7).as_json())
        await came(seen, "end", 1)
        hold.may_end.set()
        assert ended_well(await on.ended(listening.id))
    assert seen.at("listen") == [7]


class Away(InProcessMessageQueue):
    """A queue whose topics fail for as long as there are errors left."""

    def __init__(self, *errors: Exception) -> None:
        super().__init__()
        self.errors = list(errors)
        self.said: list[object] = []

    async def broadcast(self, topic: str, payload: JsonObject) -> None:
        if self.errors:
            raise self.errors.pop(0)
        self.said.append(payload["payload"])


@pytest.mark.parametrize(("capacity", "dropped"), [(100, 2), (5, 7)])
async def test_what_cannot_be_said_is_dropped_and_counted(capacity: int, dropped: int) -> None:
    """At most once: it is neither kept nor tried again, and nobody waits. Neither an outage nor a defect is the end."""
    queue = Away(Unavailable("no topics today"), ZeroDivisionError())
    ten: Sequence[Broadcast] = [said(number) for number in range(10)]
    async with Broadcasts(queue=queue, capacity=capacity) as broadcasts:
        broadcasts.say(ten)
        await asyncio.sleep(0.01)
    assert broadcasts.dropped == dropped
    assert queue.said == [{"n": number} for number in range(2, min(capacity, 10))]


async def test_what_waits_to_be_said_is_bounded_by_its_size(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(topics, "LINE_CHARACTERS", 4 * 32)
    queue = Away()
    async with Broadcasts(queue=queue) as broadcasts:
        broadcasts.say([said(number) for number in range(10)])
        await asyncio.sleep(0.01)
        broadcasts.say([said(10)])
        await asyncio.sleep(0.01)
    assert (broadcasts.dropped, queue.said) == (6, [{"n": number} for number in (0, 1, 2, 3, 10)])


async def test_a_message_that_fails_after_it_has_emitted_says_nothing() -> None:
    """It may be tried again, and would say it again; or it is dead."""

    async def unprintable(context: PipelineContext) -> AdapterResult:
        message: JsonObject = {"n": 1, 2: "a key that is no text"}  # type: ignore[dict-item]
        return AdapterResult(message=message, emitted=[Emission(payload=context.message)])

    routes = pipeline_of(SPEAKER.replace("emit", "unprintable") + SPREADER).routes.values()
    async with (
        bench({"spread": emitting({"n": 1}, {"n": 2}), "unprintable": unprintable}) as on,
        on.engine.ports.queue.listen("/topic/news") as heard,
    ):
        started = await on.start(*sorted(routes, key=lambda route: route.id != "spread"))
        ended = await on.ended(started.id)
        await on.engine.ports.queue.broadcast("/topic/news", {"the": "first"})
        assert await asyncio.wait_for(anext(heard), 5) == {"the": "first"}
    assert (ended.status, ended.counts.dead) == (ExecutionStatus.COMPLETED, 2)


async def test_a_message_whose_children_cannot_be_kept_says_nothing() -> None:
    """Large payloads go to storage before the settlement; where that refuses them, the message is dead."""
    large: JsonObject = {"n": 1, "text": "x" * 70_000}
    text = (
        SPEAKER.replace("      - queue: /topic/news", "      - end\n      - queue: /topic/news")
        + END
        + SPREADER
    )
    routes = pipeline_of(text).routes.values()

    async def refused(key: str, *content: object, **options: object) -> bool:
        raise Refused("no room for you")

    async with (
        bench({"spread": emitting({"n": 1}), "emit": emitting(large), "see": Seen()}) as on,
        on.engine.ports.queue.listen("/topic/news") as heard,
    ):
        on.engine.ports.storage.write = refused  # type: ignore[method-assign, assignment]
        started = await on.start(*sorted(routes, key=lambda route: route.id != "spread"))
        ended = await on.ended(started.id)
        await on.engine.ports.queue.broadcast("/topic/news", {"the": "first"})
        assert await asyncio.wait_for(anext(heard), 5) == {"the": "first"}
    assert (ended.counts.done, ended.counts.dead) == (1, 1)


END = """
  end:
    inbound: {queue: end}
    adapters: [{type: see}]
"""
SPREADER = """
  spread:
    inbound: {queue: spread}
    adapters: [{type: spread}]
    outbound: speak
"""
