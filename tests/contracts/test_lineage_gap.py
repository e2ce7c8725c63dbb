"""The behaviour that ``application.ports.lineage_gap`` promises."""

from __future__ import annotations

from dataclasses import replace
from uuid import UUID, uuid4

from application.ports.lineage_gap import RouteGap
from domain.execution import ExecutionStatus
from domain.lineage import StageStatus
from domain.message import MessageState, Outcome, correlation_id
from domain.unrecorded_message import UnrecordedMessage
from tests.contracts.ledgers import NOW
from tests.contracts.lineage_gaps import EXPECTED, World, handled, world

__all__ = ["world"]


async def test_a_settled_message_without_an_entry_is_missing(world: World) -> None:
    """Per route; one that is still in work is not settled, and another execution's does not count."""
    execution, parent, (done, skipped, dead, _) = await world.run("done", "skipped", "dead", "claimed")
    await world.run("of another execution")
    await world.ledgers.settled(done)
    await world.ledgers.settled(skipped, Outcome.SKIPPED)
    await world.ledgers.settled(dead, Outcome.DEAD, error={"code": "x"})
    assert list(await world.count(execution)) == [
        RouteGap(route_id="first", settled=1, missing=1),
        RouteGap(route_id="second", settled=3, missing=3),
    ]
    await world.record(handled(parent.message), handled(done.message))
    assert [one.missing for one in await world.count(execution)] == [0, 2]
    assert {one.message.id for one in await world.missing(execution)} == {
        skipped.message.id,
        dead.message.id,
    }


async def test_what_is_missing_is_told_as_the_ledger_has_it(world: World) -> None:
    """With the reason of a dead message, and the entry that children name."""
    execution, parent, (dead,) = await world.run("dead")
    await world.ledgers.settled(dead, Outcome.DEAD, error={"code": "x", "message": "why"})
    found = {one.message.id: one for one in await world.missing(execution)}
    assert found[parent.message.id] == UnrecordedMessage(
        message=parent.message,
        state=MessageState.DONE,
        attempt=1,
        settled_at=NOW,
        named=frozenset({correlation_id(parent.message.id, 0, 1)}),
    )
    assert found[dead.message.id] == UnrecordedMessage(
        message=dead.message,
        state=MessageState.DEAD,
        attempt=1,
        settled_at=NOW,
        error={"code": "x", "message": "why"},
    )


async def test_only_an_entry_of_the_last_attempt_that_has_ended_covers_a_message(world: World) -> None:
    """Failed is an end too."""
    execution, parent, (first,) = await world.run("child")
    await world.record(handled(parent.message))
    await world.ledgers.settled(first, Outcome.RETRY)
    (second,) = await world.ledgers.claimed(first.message.id)
    await world.ledgers.settled(second, Outcome.DEAD, error={})
    await world.record(handled(first.message, 1, StageStatus.FAILED))
    assert [one.attempt for one in await world.missing(execution)] == [2]
    await world.record(handled(first.message, 2, StageStatus.PROCESSING))
    assert len(await world.missing(execution)) == 1
    await world.record(handled(first.message, 2, StageStatus.FAILED))
    assert await world.missing(execution) == []


async def test_a_cancelled_message_is_not_missed(world: World) -> None:
    """Whether it was in work or not: it may have been stopped before its first pipeline adapter."""
    execution, parent, (claimed, _) = await world.run("claimed", "left claimed")
    await world.record(handled(parent.message))
    await world.ledgers.executions.conclude(execution.id, ExecutionStatus.CANCELLED, now=NOW)
    await world.ledgers.settled(claimed)
    await world.ledgers.executions.discard_queued(execution.id, limit=10, now=NOW)
    assert sum(one.missing for one in await world.count(execution)) == 0


async def test_an_unknown_execution_lacks_nothing(world: World) -> None:
    """It has no messages."""
    assert await world.gap.count(uuid4(), EXPECTED) == []
    assert [page async for page in world.gap.missing(uuid4(), EXPECTED)] == []


async def test_many_missing_messages_come_in_pages_each_once(world: World) -> None:
    """While they are being filled in."""
    execution, _, claims = await world.run(*(str(number) for number in range(1100)))
    for claim in claims:
        await world.ledgers.settled(claim)
    seen: list[UUID] = []
    async for page in world.gap.missing(execution.id, EXPECTED):
        assert len(page) <= 1000
        seen += [one.message.id for one in page]
        await world.gap.fill([handled(one.message) for one in page])
    assert len(seen) == len(set(seen)) == 1101
    assert await world.missing(execution) == []


async def test_filling_in_leaves_every_entry_that_is_there(world: World) -> None:
    """Whatever its status; and a real entry that comes later takes the place of the one filled in."""
    _, parent, (child,) = await world.run("child")
    real = handled(parent.message, status=StageStatus.FAILED)
    await world.record(real)
    repaired = replace(handled(child.message), metadata={"repaired": True})
    assert await world.gap.fill([handled(parent.message), repaired]) == 1
    assert await world.gap.fill([handled(parent.message), repaired]) == 0
    assert await world.gap.fill([]) == 0
    assert await world.reader.get(real.id) == real
    assert await world.reader.get(repaired.id) == repaired
    late = replace(handled(child.message), input_hash="00ff", metadata={"title": "real"})
    await world.record(late)
    assert await world.reader.get(late.id) == late
