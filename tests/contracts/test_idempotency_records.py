"""What every ``IdempotencyRecords`` does."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from uuid import UUID, uuid4

import pytest

from adapters.memory.idempotency_records import MemoryIdempotencyRecords
from adapters.postgres.idempotency_records import PostgresIdempotencyRecords
from application.ports.idempotency_records import IdempotencyRecords
from domain.idempotency import IdempotencyInFlight, IdempotencyKeyReused, KeptAnswer
from tests.contracts.access import at
from tests.databases import SERVERS, fresh_database

ANSWER = KeptAnswer(status=201, headers=[("location", "/æ"), ("etag", '"1"')], body=b"\x00\xff{}")


@pytest.fixture(params=["memory", *SERVERS])
async def records(request: pytest.FixtureRequest) -> AsyncIterator[IdempotencyRecords]:
    """Each store there is."""
    if request.param == "memory":
        yield MemoryIdempotencyRecords()
        return
    async with fresh_database(request.getfixturevalue("postgres_url")) as database:
        yield PostgresIdempotencyRecords(database)


async def begun(
    records: IdempotencyRecords,
    key: str = "key",
    *,
    owner: str = "me",
    mark: str = "a",
    token: UUID | None = None,
    now: float = 0,
) -> KeptAnswer | None:
    return await records.begin(
        owner, key, fingerprint=mark, token=token or uuid4(), now=at(now), until=at(now + 60)
    )


async def test_an_answer_comes_back_as_it_was(records: IdempotencyRecords) -> None:
    token = uuid4()
    assert await begun(records, token=token) is None
    await records.finish("me", "key", token=token, answer=ANSWER)
    again = await begun(records)
    assert again is not None
    assert (again.status, list(again.headers), again.body) == (201, list(ANSWER.headers), ANSWER.body)


async def test_an_answer_without_its_body_comes_back_so(records: IdempotencyRecords) -> None:
    token = uuid4()
    await begun(records, token=token)
    await records.finish("me", "key", token=token, answer=KeptAnswer(status=201, body=None))
    assert (await begun(records) or ANSWER).body is None


async def test_of_several_at_once_one_takes_it_up(records: IdempotencyRecords) -> None:
    outcomes = await asyncio.gather(*(begun(records) for _ in range(5)), return_exceptions=True)
    assert sorted(type(one).__name__ for one in outcomes) == ["IdempotencyInFlight"] * 4 + ["NoneType"]


async def test_another_request_needs_another_key(records: IdempotencyRecords) -> None:
    """In flight and afterwards; of another principal it is another key."""
    token = uuid4()
    await begun(records, token=token)
    with pytest.raises(IdempotencyKeyReused):
        await begun(records, mark="b")
    assert await begun(records, mark="b", owner="you") is None
    assert await begun(records, "another", mark="b") is None
    await records.finish("me", "key", token=token, answer=ANSWER)
    with pytest.raises(IdempotencyKeyReused):
        await begun(records, mark="b")


async def test_what_a_dead_process_had_taken_up_is_taken_up_when_its_time_is_over(
    records: IdempotencyRecords,
) -> None:
    """Should it live after all, its answer is not kept."""
    dead, next_one = uuid4(), uuid4()
    await begun(records, token=dead)
    with pytest.raises(IdempotencyInFlight):
        await begun(records, now=59)
    assert await begun(records, token=next_one, now=60) is None
    await records.finish("me", "key", token=dead, answer=KeptAnswer(status=500))
    await records.abandon("me", "key", token=dead)
    with pytest.raises(IdempotencyInFlight):
        await begun(records, now=61)
    await records.finish("me", "key", token=next_one, answer=ANSWER)
    assert (await begun(records, now=62) or KeptAnswer(status=0)).status == 201


async def test_whoever_does_it_may_be_given_longer(records: IdempotencyRecords) -> None:
    """Under the token that has it alone, and until it is answered."""
    token, second = uuid4(), uuid4()
    await begun(records, token=token)
    await records.prolong("me", "key", token=uuid4(), until=at(500))
    await records.prolong("me", "key", token=token, until=at(100))
    with pytest.raises(IdempotencyInFlight):
        await begun(records, now=99)
    assert await begun(records, token=second, now=100) is None
    await records.prolong("me", "key", token=token, until=at(500))
    await records.finish("me", "key", token=second, answer=ANSWER)
    await records.prolong("me", "key", token=second, until=at(900))
    assert await begun(records, now=161) == ANSWER


async def test_what_is_abandoned_can_be_repeated_and_what_is_answered_cannot_be_abandoned(
    records: IdempotencyRecords,
) -> None:
    token = uuid4()
    await begun(records, token=token)
    await records.abandon("me", "key", token=token)
    assert await begun(records, mark="b", token=token) is None
    await records.finish("me", "key", token=token, answer=ANSWER)
    await records.abandon("me", "key", token=token)
    assert await begun(records, mark="b") is not None


async def test_old_records_are_forgotten_in_batches(records: IdempotencyRecords) -> None:
    for number in range(4):
        await begun(records, f"key {number}", now=number)
    assert await records.forget(before=at(3), limit=2) == 2
    assert await records.forget(before=at(3), limit=2) == 1
    assert await records.forget(before=at(3), limit=2) == 0
    with pytest.raises(IdempotencyInFlight):
        await begun(records, "key 3", now=4)
