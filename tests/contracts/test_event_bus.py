"""The behaviour that ``application.ports.event_bus`` promises, for every bus."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import UTC, datetime
from uuid import UUID, uuid4

import pytest

from adapters.memory.event_bus import InProcessEventBus
from application.ports.event_bus import EventBus
from domain.event import Event

PATIENCE = 10.0


@asynccontextmanager
async def in_process() -> AsyncIterator[EventBus]:
    yield InProcessEventBus()


BUSES: dict[str, Callable[[], AbstractAsyncContextManager[EventBus]]] = {"in_process": in_process}


@pytest.fixture(params=BUSES)
async def bus(request: pytest.FixtureRequest) -> AsyncIterator[EventBus]:
    async with BUSES[request.param]() as opened:
        yield opened


def event(execution_id: UUID, type: str = "message.completed", number: int = 0) -> Event:
    return Event(
        id=uuid4(),
        type=type,
        execution_id=execution_id,
        at=datetime.now(UTC),
        data={"number": number, "text": "å"},
    )


async def next_of(listener: AsyncIterator[Event]) -> Event:
    async with asyncio.timeout(PATIENCE):
        return await anext(listener)


async def test_a_listener_gets_the_events_of_its_execution_in_order(bus: EventBus) -> None:
    """Whole, and none of another execution."""
    mine, other = uuid4(), uuid4()
    sent = [event(mine, number=number) for number in range(5)]
    async with bus.listen(mine) as listener:
        for each in sent:
            bus.publish(event(other))
            bus.publish(each)
        assert [await next_of(listener) for _ in sent] == sent


async def test_a_listener_to_everything_gets_every_execution(bus: EventBus) -> None:
    """In the order published."""
    sent = [event(uuid4()) for _ in range(4)]
    async with bus.listen() as listener:
        for each in sent:
            bus.publish(each)
        assert [await next_of(listener) for _ in sent] == sent


async def test_every_listener_gets_every_event(bus: EventBus) -> None:
    """Listeners do not share."""
    sent = event(uuid4())
    async with (
        bus.listen(sent.execution_id) as one,
        bus.listen(sent.execution_id) as two,
        bus.listen() as three,
    ):
        bus.publish(sent)
        assert [await next_of(listener) for listener in (one, two, three)] == [sent] * 3


async def test_events_before_entering_are_missed(bus: EventBus) -> None:
    """It is not a record."""
    execution_id = uuid4()
    bus.publish(event(execution_id, number=1))
    await asyncio.sleep(0.05)
    async with bus.listen(execution_id) as listener:
        bus.publish(event(execution_id, number=2))
        assert (await next_of(listener)).data["number"] == 2


async def test_a_listener_that_falls_behind_loses_the_oldest(bus: EventBus) -> None:
    """The publisher never waits, and the newest event is there."""
    execution_id = uuid4()
    async with bus.listen(execution_id) as listener:
        for number in range(5000):
            bus.publish(event(execution_id, number=number))
        number = -1
        while number != 4999:
            latest = (await next_of(listener)).data["number"]
            assert isinstance(latest, int)
            assert latest > number
            number = latest


async def test_a_waiting_listener_that_is_cancelled_can_listen_on(bus: EventBus) -> None:
    """A heartbeat interrupts the wait; nothing is lost by it."""
    execution_id = uuid4()
    async with bus.listen(execution_id) as listener:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.02):
                await anext(listener)
        bus.publish(event(execution_id, number=7))
        assert (await next_of(listener)).data["number"] == 7


async def test_leaving_ends_the_listening(bus: EventBus) -> None:
    """Publishing afterwards is no error."""
    execution_id = uuid4()
    async with bus.listen(execution_id):
        pass
    bus.publish(event(execution_id))
