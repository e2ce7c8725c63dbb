"""The behaviour that ``application.ports.event_bus`` promises, for every bus."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import UTC, datetime
from uuid import UUID, uuid4

import pytest

from adapters.memory.event_bus import InProcessEventBus
from adapters.postgres.event_bus import PostgresEventBus
from application.ports.event_bus import EventBus
from domain.event import Event
from tests.databases import SERVERS, fresh_database

PATIENCE = 10.0


@asynccontextmanager
async def in_process(request: pytest.FixtureRequest) -> AsyncIterator[EventBus]:
    yield InProcessEventBus()


@asynccontextmanager
async def postgres(request: pytest.FixtureRequest) -> AsyncIterator[EventBus]:
    """With another process beside it, which must change nothing here."""
    async with fresh_database(request.getfixturevalue("postgres_url")) as database:
        here, there = (PostgresEventBus(database, InProcessEventBus()) for _ in range(2))
        async with there, here:
            yield here


BUSES: dict[str, Callable[[pytest.FixtureRequest], AbstractAsyncContextManager[EventBus]]] = {
    "in_process": in_process,
    "postgres": postgres,
}


@pytest.fixture(params=["in_process", *SERVERS])
async def bus(request: pytest.FixtureRequest) -> AsyncIterator[EventBus]:
    async with BUSES[request.param](request) as opened:
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


async def test_an_execution_is_followed_while_somebody_listens_to_its_messages(bus: EventBus) -> None:
    """Not for those who listen to executions alone; whoever listens to everything follows each."""
    mine, other = uuid4(), uuid4()
    async with bus.listen(mine, with_messages=False):
        assert not bus.is_followed(mine)
    async with bus.listen(mine):
        assert (bus.is_followed(mine), bus.is_followed(other)) == (True, False)
        async with bus.listen():
            assert bus.is_followed(other)
    assert not bus.is_followed(mine)


async def test_who_listens_without_messages_hears_of_executions_alone(bus: EventBus) -> None:
    """Of one or of all."""
    execution_id = uuid4()
    whole = event(execution_id, "execution.completed")
    async with (
        bus.listen(execution_id, with_messages=False) as one,
        bus.listen(with_messages=False) as every,
    ):
        bus.publish(event(execution_id))
        bus.publish(whole)
        assert [await next_of(one), await next_of(every)] == [whole, whole]
