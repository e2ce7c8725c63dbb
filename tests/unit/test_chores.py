"""What a running server does now and then."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta

import pytest

from adapters.memory.clock import ManualClock
from application.chores import Chore, Chores
from application.forgetting import AT_ONCE, Forgetting, Kept
from domain.errors import Unavailable
from entrypoints.composition.adapters import ServerAdapters
from entrypoints.composition.chores import make_chores, make_uploading
from entrypoints.settings import Settings


async def test_a_chore_is_done_at_once_and_then_regularly_whatever_becomes_of_others() -> None:
    """An outage and a defect end nothing."""
    clock, done = ManualClock(), []

    def doing(name: str, error: Exception | None = None) -> Callable[[], Awaitable[None]]:
        async def do() -> None:
            done.append(name)
            if error:
                raise error

        return do

    chores = [
        Chore(name="away", seconds=60, do=doing("away", Unavailable())),
        Chore(name="defect", seconds=60, do=doing("defect", ZeroDivisionError())),
        Chore(name="fine", seconds=120, do=doing("fine")),
    ]
    async with Chores(chores=chores, clock=clock):
        await asyncio.sleep(0)
        assert sorted(done) == ["away", "defect", "fine"]
        await clock.advance(121)
    assert sorted(done) == ["away"] * 3 + ["defect"] * 3 + ["fine"] * 2


async def test_each_kind_is_forgotten_by_its_own_days_until_nothing_old_is_left() -> None:
    """And one that fails keeps none of the others."""
    clock = ManualClock()
    left = {"messages": AT_ONCE + 1, "deliveries": 3}
    asked: dict[str, datetime] = {}

    def forgetting(name: str) -> Callable[..., Awaitable[int]]:
        async def forget(*, before: datetime, limit: int) -> int:
            asked[name] = before
            count = min(limit, left[name])
            left[name] -= count
            return count

        return forget

    async def failing(*, before: datetime, limit: int) -> int:
        raise Unavailable

    async def broken(*, before: datetime, limit: int) -> int:
        raise ZeroDivisionError

    kept = [
        Kept(name="messages", days=30, forget=forgetting("messages")),
        Kept(name="lineage", days=30, forget=failing),
        Kept(name="payloads", days=30, forget=broken),
        Kept(name="deliveries", days=7, forget=forgetting("deliveries")),
    ]
    begun = clock.now()
    task = asyncio.create_task(Forgetting(kept=kept, clock=clock).forget())
    await clock.advance(10)
    assert await task == {"messages": AT_ONCE + 1, "deliveries": 3}
    assert begun - asked["messages"] == timedelta(days=30)
    assert begun - asked["deliveries"] <= timedelta(days=7)


@pytest.mark.parametrize("is_server", [True, False])
def test_a_server_alone_forgets(*, is_server: bool) -> None:
    """Everything else is done by workers as well."""
    settings = Settings(database_url="postgresql://db/factflow")
    adapters = ServerAdapters(settings=settings)
    chores = make_chores(adapters, settings, make_uploading(adapters), is_server=is_server).chores
    assert {chore.name for chore in chores} - {"retention"} == {
        "purged payloads",
        "webhook backlog",
        "left uploads",
    }
    assert ("retention" in {chore.name for chore in chores}) is is_server
