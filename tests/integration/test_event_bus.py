"""Events between processes that share a database."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from uuid import UUID, uuid4

import pytest

from adapters.memory.event_bus import InProcessEventBus
from adapters.postgres.database import Database
from adapters.postgres.event_bus import PostgresEventBus
from adapters.postgres.event_link import CHANNEL
from adapters.postgres.translation import DatabaseUnavailable
from application.ports.readiness import Health
from domain.event import Event
from domain.json import JsonObject

pytestmark = pytest.mark.slow

PATIENCE = 20.0


def bus(database: Database, **options: float) -> PostgresEventBus:
    return PostgresEventBus(database, InProcessEventBus(), **options)  # type: ignore[arg-type]  # capacity is whole


def event(execution_id: UUID, type: str = "message.completed", data: JsonObject | None = None) -> Event:
    return Event(id=uuid4(), type=type, execution_id=execution_id, at=datetime.now(UTC), data=data or {})


async def next_of(listener: AsyncIterator[Event]) -> Event:
    async with asyncio.timeout(PATIENCE):
        return await anext(listener)


async def until_followed(told: PostgresEventBus, execution_id: UUID, *, followed: bool = True) -> None:
    async with asyncio.timeout(PATIENCE):
        while told.is_followed(execution_id) != followed:  # noqa: ASYNC110  # a port says it no other way
            await asyncio.sleep(0.01)


_LISTENING = """
    FROM pg_stat_activity WHERE application_name = 'factflow events' AND datname = current_database()
"""


async def cut(database: Database) -> None:
    """End the connections that listen, as a restarted server does, and return once there are others."""
    async with database.connection() as connection, asyncio.timeout(PATIENCE):
        cursor = await connection.execute(f"SELECT pid, pg_terminate_backend(pid) {_LISTENING}")
        ended = {pid for pid, _ in await cursor.fetchall()}
        found = set(ended)
        while found & ended or len(found) < len(ended):
            await asyncio.sleep(0.02)
            cursor = await connection.execute(f"SELECT pid {_LISTENING}")
            found = {pid for (pid,) in await cursor.fetchall()}


async def test_executions_are_told_of_everywhere(database: Database) -> None:
    """In the order published, once each, and at home too."""
    execution_id = uuid4()
    sent = [event(execution_id, f"execution.{what}") for what in ("started", "interrupted", "completed")]
    async with (
        bus(database) as here,
        bus(database) as there,
        here.listen(execution_id) as at_home,
        there.listen(with_messages=False) as away,
    ):
        for each in sent:
            here.publish(each)
        assert [await next_of(at_home) for _ in sent] == sent
        assert [await next_of(away) for _ in sent] == sent
        last = event(execution_id, "execution.failed")
        there.publish(last)
        assert [await next_of(at_home), await next_of(away)] == [last, last]


async def test_messages_are_told_of_where_they_are_followed(database: Database) -> None:
    """A process knows within moments what is followed in another, and when no longer."""
    mine, other = uuid4(), uuid4()
    async with bus(database) as here, bus(database) as there:
        async with there.listen(mine) as listener:
            await until_followed(here, mine)
            assert not here.is_followed(other)
            sent = [event(mine, data={"number": number, "text": "å\x00🦊"}) for number in range(2000)]
            for each in sent:
                here.publish(event(other))
                here.publish(each)
            received = [await next_of(listener) for _ in range(1000)]
            assert received == sent[-1000:] or received == sent[:1000]
        await until_followed(here, mine, followed=False)


async def test_who_listens_to_everything_follows_everything(database: Database) -> None:
    async with bus(database) as here, bus(database) as there, there.listen() as listener:
        sent = event(uuid4())
        await until_followed(here, sent.execution_id)
        here.publish(sent)
        assert await next_of(listener) == sent


async def test_a_process_that_starts_later_learns_what_is_followed(database: Database) -> None:
    """It asks, rather than wait for the next time that it is said."""
    execution_id = uuid4()
    async with bus(database) as there, there.listen(execution_id), bus(database) as here:
        await until_followed(here, execution_id)


async def test_what_a_process_that_died_followed_is_forgotten(database: Database) -> None:
    """It has not taken it back; its word expires."""
    execution_id = uuid4()
    async with bus(database, beat_seconds=0.1) as here:
        async with bus(database, beat_seconds=0.1) as there:
            listening = there.listen(execution_id)
            await listening.__aenter__()
            await until_followed(here, execution_id)
        await until_followed(here, execution_id, followed=False)


async def test_messages_nobody_follows_elsewhere_are_not_told(database: Database) -> None:
    """They cost nothing, however many."""
    async with await database.connect("test") as connection, bus(database) as here:
        await connection.execute(f"LISTEN {CHANNEL}")
        followed = event(uuid4())
        async with here.listen(followed.execution_id):
            for _ in range(1000):
                here.publish(event(followed.execution_id))
            here.publish(event(followed.execution_id, "execution.completed"))
            told = ""
            while "execution.completed" not in told:
                async for notice in connection.notifies(timeout=PATIENCE, stop_after=1):
                    told += notice.payload
        assert "message." not in told


async def test_a_large_event_arrives_whole(database: Database) -> None:
    """In as many notifications as it takes, between others; a very large one without its long values."""
    large = event(uuid4(), "execution.failed", {"text": "å" * 4_000, "route_id": "a"})
    huge = event(large.execution_id, "execution.failed", {"text": "x" * 100_000, "route_id": "a"})
    small = event(large.execution_id, "execution.failed", {"route_id": "b"})
    async with bus(database) as here, bus(database) as there, there.listen(with_messages=False) as listener:
        for each in (small, large, huge, small):
            here.publish(each)
        assert await next_of(listener) == small
        assert await next_of(listener) == large
        shortened = await next_of(listener)
        assert (shortened.id, shortened.data) == (huge.id, {"route_id": "a", "truncated": True})
        assert await next_of(listener) == small


async def test_an_event_that_is_not_json_does_not_hold_up_others(database: Database) -> None:
    """Here it is heard, elsewhere it is left out."""
    strange = event(uuid4(), "execution.started", {"what": object()})  # type: ignore[dict-item]  # that is the point
    fine = event(strange.execution_id, "execution.completed")
    async with (
        bus(database) as here,
        bus(database) as there,
        here.listen() as at_home,
        there.listen() as away,
    ):
        here.publish(strange)
        here.publish(fine)
        assert [await next_of(at_home), await next_of(at_home)] == [strange, fine]
        assert await next_of(away) == fine


@pytest.mark.parametrize(
    "payload",
    [
        "",
        "nonsense",
        "2:later",
        "1:x:y:z",
        "1:" + "0" * 32 + ":1:0:1:{",
        "1:" + "0" * 32 + ':1:0:1:{"events":[{}]}',
    ],
)
async def test_what_cannot_be_read_is_passed_over(payload: str, database: Database) -> None:
    """Another version may share the database, and anybody can notify."""
    async with bus(database) as here, bus(database) as there, there.listen(with_messages=False) as listener:
        async with database.connection() as connection:
            await connection.execute("SELECT pg_notify(%s, %s)", (CHANNEL, payload))
        sent = event(uuid4(), "execution.started")
        here.publish(sent)
        assert await next_of(listener) == sent


async def test_a_lost_connection_is_made_again(database: Database, caplog: pytest.LogCaptureFixture) -> None:
    """What is followed is said again, and the trouble is told."""
    async with bus(database) as here, bus(database) as there:
        execution_id = uuid4()
        async with there.listen(execution_id) as listener:
            await until_followed(here, execution_id)
            await cut(database)
            assert "events of other processes are missed" in caplog.text
            # The backend is there a moment before it listens.
            async with asyncio.timeout(PATIENCE):
                while (await there.check()).health is not Health.HEALTHY:  # noqa: ASYNC110
                    await asyncio.sleep(0.01)
            sent = event(execution_id, "execution.completed")
            here.publish(sent)
            assert await next_of(listener) == sent


async def test_what_waits_is_bounded(database: Database) -> None:
    """Events of executions are dropped last, and how many were dropped is told."""
    async with bus(database, capacity=100) as here, bus(database) as there, there.listen() as listener:
        await until_followed(here, uuid4())
        # Nobody else has a turn between these, so all of them wait.
        for _ in range(150):
            here.publish(event(uuid4()))
        for _ in range(150):
            here.publish(event(uuid4(), "execution.started"))
        assert (await here.check()).details == {"waiting": 200, "capacity": 100, "dropped": 100}
        types = [(await next_of(listener)).type for _ in range(200)]
        assert types == ["message.completed"] * 100 + ["execution.started"] * 100


async def test_leaving_tells_what_waits(database: Database) -> None:
    """The last event of a process is mostly the one that matters."""
    sent = event(uuid4(), "execution.completed")
    async with bus(database) as there, there.listen() as listener:
        async with bus(database) as here:
            here.publish(sent)
        assert await next_of(listener) == sent
        here.publish(sent)


async def test_a_closed_bus_still_serves_its_own_process(database: Database) -> None:
    """And says that it does no more."""
    here = bus(database)
    async with here.listen() as listener:
        sent = event(uuid4())
        here.publish(sent)
        assert await next_of(listener) == sent
    assert (await here.check()).health is Health.DEGRADED


async def test_opening_without_a_database_fails_with_a_reason() -> None:
    """As every adapter does."""
    with pytest.raises(DatabaseUnavailable):
        async with bus(Database("postgresql://127.0.0.1:1/none")):
            raise AssertionError("opened")
