"""What ``application.ports.lineage_gap`` promises of messages of which lineage has some entries and lacks others."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from uuid import uuid4

from domain.dead_letter import DeadLetterFilter
from domain.json import JsonObject
from domain.lineage import LineageEntry, StageStatus
from domain.lineage_repair import repaired_entries
from domain.message import Claim, MessageState, Outcome, correlation_id
from tests.contracts.ledgers import NOW, children
from tests.contracts.lineage_gaps import ROUTES, World, handled, world

__all__ = ["world"]


@dataclass(frozen=True, slots=True)
class Case:
    """A message of a route that is settled, of whose entries those at some places are there."""

    route: str
    outcome: Outcome
    places: tuple[int, ...]
    is_missing: bool
    error: JsonObject | None = None
    is_collected: bool = False

    def entries(self, claim: Claim) -> Sequence[LineageEntry]:
        """Those that are there."""
        into = uuid4() if self.is_collected else None
        return [
            handled(claim.message, place=place, collected_into=into if place == 0 else None)
            for place in self.places
        ]


AT_1: JsonObject = {"code": "x", "adapter_index": 1}
CASES = [
    Case("both", Outcome.DONE, (0, 1), is_missing=False),
    Case("both", Outcome.DONE, (0,), is_missing=True),
    Case("both", Outcome.DONE, (1,), is_missing=True),
    Case("both", Outcome.SKIPPED, (0,), is_missing=False),
    Case("both", Outcome.SKIPPED, (1,), is_missing=True),
    Case("both", Outcome.DEAD, (0,), is_missing=False, error={"code": "x", "adapter_index": "1"}),
    Case("both", Outcome.DEAD, (0, 1), is_missing=False, error=AT_1),
    Case("both", Outcome.DEAD, (0,), is_missing=True, error=AT_1),
    Case("both", Outcome.DEAD, (1,), is_missing=True, error=AT_1),
    Case("gated", Outcome.DONE, (1, 3), is_missing=False),
    Case("gated", Outcome.DONE, (0, 1, 2, 3), is_missing=False),
    Case("gated", Outcome.DONE, (0, 1, 2), is_missing=True),
    Case("gated", Outcome.DONE, (0, 2, 3), is_missing=True),
    Case("gated", Outcome.SKIPPED, (0,), is_missing=False),
    Case("gated", Outcome.SKIPPED, (1, 2), is_missing=False),
    Case("gated", Outcome.SKIPPED, (0, 2), is_missing=True),
    Case("collecting", Outcome.DONE, (0, 2), is_missing=False),
    Case("collecting", Outcome.DONE, (0,), is_missing=False, is_collected=True),
    Case("collecting", Outcome.DONE, (0,), is_missing=True),
    Case("collecting", Outcome.DONE, (0, 1), is_missing=True),
]


async def test_a_message_is_missing_when_an_entry_is_that_there_must_be(world: World) -> None:
    """And it is complete when what is certain of it has been filled in, its parts in their places."""
    execution, claims = await world.claimed_on(*(case.route for case in CASES))
    for case, claim in zip(CASES, claims, strict=True):
        await world.ledgers.settled(claim, case.outcome, error=case.error)
        await world.record(*case.entries(claim))
    lacking = {claim.message.id for case, claim in zip(CASES, claims, strict=True) if case.is_missing}
    found = {one.message.id: one for one in await world.missing(execution)}
    assert found.keys() == lacking
    assert sum(route.missing for route in await world.count(execution)) == len(lacking)
    for case, claim in zip(CASES, claims, strict=True):
        if case.is_missing:
            one = found[claim.message.id]
            assert one.handled == set(case.places), case
            assert one.stands_for_group == (case.route == "collecting"), case
            collects = case.route == "collecting"
            assert await world.gap.fill(repaired_entries(ROUTES[case.route], one, collects=collects)), case
    assert await world.missing(execution) == []
    assert sum(route.missing for route in await world.count(execution)) == 0


async def test_of_a_chain_with_a_hole_only_the_hole_is_filled(world: World) -> None:
    """What was dropped is the parent of what was not."""
    execution, (claim,) = await world.claimed_on("both")
    await world.ledgers.settled(claim)
    second = handled(claim.message, place=1, parent_id=correlation_id(claim.message.id, 0, 1))
    await world.record(second)
    (one,) = await world.missing(execution)
    assert await world.gap.fill(repaired_entries(ROUTES["both"], one)) == 1
    assert next(each.adapter_index for each in await world.reader.ancestors(second.id)) == 0
    assert await world.reader.get(second.id) == second


async def test_an_entry_that_children_came_from_is_missed(world: World) -> None:
    """That of an attempt which broke off as well, though the next one is recorded to its end."""
    execution, (first,) = await world.claimed_on("both")
    streamed, later = (
        replace(
            children(first, str(attempt))[0],
            parent_correlation_id=correlation_id(first.message.id, 1, attempt),
        )
        for attempt in (1, 2)
    )
    await world.ledgers.messages.extend(first.message.id, first.token, [streamed], now=NOW)
    await world.ledgers.settled(first, Outcome.RETRY)
    (second,) = await world.ledgers.claimed(first.message.id)
    await world.ledgers.settled(second, children=[streamed, later])
    await world.record(*(handled(first.message, 2, place=place) for place in (0, 1)))
    (one,) = await world.missing(execution)
    assert one.named == {streamed.parent_correlation_id, later.parent_correlation_id}
    entries = repaired_entries(ROUTES["both"], one)
    assert [(each.adapter_index, each.attempt, each.status) for each in entries] == [
        (0, 1, StageStatus.COMPLETED),
        (1, 1, StageStatus.CANCELLED),
    ]
    assert await world.gap.fill(entries) == 2
    assert await world.missing(execution) == []


async def test_the_payload_of_a_purged_dead_letter_is_not_known(world: World) -> None:
    """So nothing is said of what it was, only that it was there."""
    execution, (claim,) = await world.claimed_on("both")
    await world.ledgers.settled(claim, Outcome.DEAD, error=AT_1)
    await world.letters.purge(DeadLetterFilter(execution_id=execution.id), limit=10, now=NOW)
    (one,) = await world.missing(execution)
    assert (one.state, one.message.payload, one.error) == (MessageState.DEAD, {}, None)
    assert not one.is_payload_known
    (entry,) = repaired_entries(ROUTES["both"], one)
    assert (entry.adapter_index, entry.status, entry.input_hash) == (0, StageStatus.FAILED, None)
