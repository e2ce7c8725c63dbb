"""A request with an idempotency key is done by one process at a time, however long that takes."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

import pytest

from adapters.memory.idempotency_records import MemoryIdempotencyRecords
from adapters.system.clock import SystemClock
from application.access.repeats import Repeats, TakenUp
from domain.errors import Unavailable
from domain.idempotency import IdempotencyInFlight, KeptAnswer

LITTLE = 0.6


@dataclass(slots=True)
class Failing(MemoryIdempotencyRecords):
    """A store that is away the first time it is asked for more time."""

    failures: list[Exception] = field(default_factory=lambda: [Unavailable("away")])

    async def prolong(self, owner: str, key: str, *, token: UUID, until: datetime) -> None:
        if self.failures:
            raise self.failures.pop()
        await MemoryIdempotencyRecords.prolong(self, owner, key, token=token, until=until)


@pytest.mark.parametrize(
    "records",
    [MemoryIdempotencyRecords(), Failing(), Failing(failures=[RuntimeError("a defect")])],
    ids=["well", "away", "defect"],
)
async def test_what_takes_longer_is_not_done_twice(records: MemoryIdempotencyRecords) -> None:
    repeats = Repeats(records=records, clock=SystemClock(), taken_up_seconds=LITTLE)
    taken = await repeats.begin("me", "key", "mark")
    assert isinstance(taken, TakenUp)
    async with repeats.held(taken):
        for _ in range(4):
            await asyncio.sleep(LITTLE / 2)
            with pytest.raises(IdempotencyInFlight):
                await repeats.begin("me", "key", "mark")
    await repeats.end(taken, KeptAnswer(status=201, body=b"{}"))
    assert await repeats.begin("me", "key", "mark") == KeptAnswer(status=201, body=b"{}")


async def test_what_is_done_no_more_is_taken_up_when_its_time_is_over() -> None:
    repeats = Repeats(records=MemoryIdempotencyRecords(), clock=SystemClock(), taken_up_seconds=LITTLE)
    taken = await repeats.begin("me", "key", "mark")
    assert isinstance(taken, TakenUp)
    async with repeats.held(taken):
        pass
    await asyncio.sleep(LITTLE * 1.2)
    assert isinstance(await repeats.begin("me", "key", "mark"), TakenUp)
