"""What every ``GroupLedger`` does with messages that are settled as one, and what it tells of those that are to come."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from uuid import UUID, uuid4

import pytest

from adapters.memory.dead_letters import MemoryDeadLetters
from adapters.memory.group_ledger import MemoryGroupLedger
from adapters.memory.ledger import MemoryLedger
from adapters.postgres.dead_letters import PostgresDeadLetters
from adapters.postgres.execution_ledger import PostgresExecutionLedger
from adapters.postgres.group_ledger import PostgresGroupLedger
from adapters.postgres.ledger import PostgresLedger
from application.ports.dead_letters import DeadLetters
from application.ports.group_ledger import GroupLedger
from application.ports.ledger import Settled
from domain.dead_letter import DeadLetterFilter
from domain.execution import Execution, ExecutionStatus
from domain.message import Claim, EmissionChanged, Outcome, PayloadRejected, init_message_id
from tests.contracts.ledgers import LATER, NOW, OWNER, Ledgers, children, settlement
from tests.databases import SERVERS, fresh_database


@dataclass(frozen=True, slots=True)
class GroupLedgers(Ledgers):
    """All sides of one ledger."""

    groups: GroupLedger
    letters: DeadLetters


@pytest.fixture(params=["memory", *SERVERS])
async def ledgers(request: pytest.FixtureRequest) -> AsyncIterator[GroupLedgers]:
    """Each ledger there is."""
    if request.param == "memory":
        ledger = MemoryLedger()
        yield GroupLedgers(ledger, ledger, MemoryGroupLedger(ledger), MemoryDeadLetters(ledger))
        return
    async with fresh_database(request.getfixturevalue("postgres_url")) as database:
        yield GroupLedgers(
            PostgresLedger(database),
            PostgresExecutionLedger(database),
            PostgresGroupLedger(database),
            PostgresDeadLetters(database),
        )


async def fanned_out(ledgers: GroupLedgers, *names: str) -> tuple[Execution, list[Claim]]:
    """An execution whose init message has emitted some children, each of them claimed."""
    execution = await ledgers.started()
    init = await ledgers.claimed_init(execution)
    emitted = await ledgers.settled(init, children=children(init, *names))
    return execution, await ledgers.claimed(*(child.id for child in emitted.published))


async def together(ledgers: GroupLedgers, claims: list[Claim], *emitted: str) -> list[Settled]:
    """What becomes of claims that are settled as one, with children of the first."""
    first, *others = claims
    settlements = [
        settlement(first, children=children(first, *emitted, route="third")),
        *(settlement(one) for one in others),
    ]
    return list(await ledgers.groups.settle_together(settlements, now=NOW))


async def counts(ledgers: GroupLedgers, execution: Execution) -> tuple[int, int]:
    """How many messages are outstanding, and how many done."""
    counted = (await ledgers.seen(execution.id)).counts
    return counted.outstanding, counted.done


async def test_a_group_is_settled_with_its_children_in_one_step(ledgers: GroupLedgers) -> None:
    execution, claims = await fanned_out(ledgers, "a", "b", "c")
    first, *others = await together(ledgers, claims, "x", "y")
    assert [one.accepted for one in (first, *others)] == [True] * 3
    assert [child.payload for child in first.published] == [{"name": "x"}, {"name": "y"}]
    assert [one.published for one in others] == [[], []]
    assert await counts(ledgers, execution) == (2, 4)


async def test_the_last_group_ends_the_execution(ledgers: GroupLedgers) -> None:
    execution, claims = await fanned_out(ledgers, "a", "b")
    settled = await together(ledgers, claims)
    assert settled[-1].finished is ExecutionStatus.COMPLETED
    assert (await ledgers.seen(execution.id)).status is ExecutionStatus.COMPLETED


async def test_of_a_group_with_a_claim_that_is_lost_nothing_is_settled(ledgers: GroupLedgers) -> None:
    """And the others still hold theirs, so that they can be put back or form another group."""
    execution, claims = await fanned_out(ledgers, "a", "b", "c")
    await ledgers.settled(claims[1], Outcome.RELEASE)
    (again,) = await ledgers.claimed(claims[1].message.id)
    settled = await together(ledgers, claims, "x")
    assert [(one.accepted, one.published) for one in settled] == [(False, ())] * 3
    assert await counts(ledgers, execution) == (3, 1)
    assert all(one.accepted for one in await together(ledgers, [claims[0], again, claims[2]], "x"))
    assert await counts(ledgers, execution) == (1, 4)


async def test_of_a_group_with_a_member_that_was_put_back_nothing_is_settled(ledgers: GroupLedgers) -> None:
    execution, claims = await fanned_out(ledgers, "a", "b")
    await ledgers.settled(claims[0], Outcome.HAND_BACK)
    assert not any(one.accepted for one in await together(ledgers, claims, "x"))
    assert await counts(ledgers, execution) == (2, 1)


async def test_of_a_group_with_a_member_that_is_settled_by_itself_nothing_is_settled(
    ledgers: GroupLedgers,
) -> None:
    execution, claims = await fanned_out(ledgers, "a", "b")
    await ledgers.settled(claims[1], Outcome.SKIPPED)
    assert not any(one.accepted for one in await together(ledgers, claims, "x"))
    assert await counts(ledgers, execution) == (1, 1)


async def test_an_unknown_message_spoils_its_group(ledgers: GroupLedgers) -> None:
    execution, claims = await fanned_out(ledgers, "a")
    unknown = settlement(claims[0]).__class__(
        message_id=uuid4(), execution_id=execution.id, token=uuid4(), outcome=Outcome.DONE
    )
    answers = await ledgers.groups.settle_together([settlement(claims[0]), unknown], now=NOW)
    assert [one.accepted for one in answers] == [False, False]


async def test_a_group_that_is_settled_again_is_accepted_again_and_counts_once(ledgers: GroupLedgers) -> None:
    """As after a commit whose outcome was unknown: its children are to be published once more."""
    execution, claims = await fanned_out(ledgers, "a", "b")
    await together(ledgers, claims, "x")
    first, second = await together(ledgers, claims, "x")
    assert first.accepted
    assert second.accepted
    assert [child.payload for child in first.published] == [{"name": "x"}]
    assert await counts(ledgers, execution) == (1, 3)


async def test_a_group_may_be_skipped(ledgers: GroupLedgers) -> None:
    execution, claims = await fanned_out(ledgers, "a", "b")
    settlements = [settlement(one, Outcome.SKIPPED) for one in claims]
    await ledgers.groups.settle_together(settlements, now=NOW)
    seen = await ledgers.seen(execution.id)
    assert (seen.status, seen.counts.skipped) == (ExecutionStatus.COMPLETED, 2)


async def test_a_group_of_a_cancelled_execution_is_cancelled_and_emits_nothing(ledgers: GroupLedgers) -> None:
    execution, claims = await fanned_out(ledgers, "a", "b")
    await ledgers.executions.conclude(execution.id, ExecutionStatus.CANCELLED, now=NOW)
    settled = await together(ledgers, claims, "x")
    assert [(list(one.published), one.finished) for one in settled] == [([], ExecutionStatus.CANCELLED)] * 2
    seen = (await ledgers.seen(execution.id)).counts
    assert (seen.outstanding, seen.done, seen.cancelled) == (0, 1, 2)


async def test_claims_from_before_a_sweep_settle_no_group(ledgers: GroupLedgers) -> None:
    """Whoever was taken for dead comes too late, and its messages are another's."""
    execution, claims = await fanned_out(ledgers, "a", "b")
    await ledgers.executions.sweep(live_owners=[], now=NOW)
    taken_up = await ledgers.claimed(*(one.message.id for one in claims), owner=uuid4())
    assert not any(one.accepted for one in await together(ledgers, claims, "x"))
    assert all(one.accepted for one in await together(ledgers, taken_up, "x"))
    assert await counts(ledgers, execution) == (1, 3)


async def test_claims_from_the_generation_before_settle_no_group(ledgers: GroupLedgers) -> None:
    """A message that was redriven meanwhile is another's, and the run goes on without the old group."""
    execution, claims = await fanned_out(ledgers, "a", "b")
    await ledgers.settled(claims[0], Outcome.DEAD, error={"code": "x"})
    await ledgers.settled(claims[1], Outcome.RELEASE)
    (other,) = await ledgers.claimed(claims[1].message.id)
    await ledgers.settled(other)
    assert (await ledgers.seen(execution.id)).status is ExecutionStatus.COMPLETED
    await ledgers.letters.redrive(execution.id, DeadLetterFilter(), limit=10, places=None)
    assert (await ledgers.seen(execution.id)).generation == 2
    assert not any(one.accepted for one in await together(ledgers, claims, "x"))
    (again,) = await ledgers.claimed(claims[0].message.id)
    assert not any(one.accepted for one in await together(ledgers, [claims[0], other], "x"))
    (settled,) = await together(ledgers, [again])
    assert settled.finished is ExecutionStatus.COMPLETED
    assert await counts(ledgers, execution) == (0, 3)


async def test_a_group_whose_child_cannot_be_stored_is_refused_whole(ledgers: GroupLedgers) -> None:
    execution, claims = await fanned_out(ledgers, "a", "b")
    with pytest.raises(PayloadRejected):
        await together(ledgers, claims, "\0")
    assert await counts(ledgers, execution) == (2, 1)


async def test_a_group_whose_child_is_there_with_other_content_is_refused_whole(
    ledgers: GroupLedgers,
) -> None:
    execution, claims = await fanned_out(ledgers, "a", "b")
    (child,) = children(claims[0], "x", route="third")
    await ledgers.messages.extend(claims[0].message.id, claims[0].token, [child], now=NOW)
    other = child.__class__(
        id=child.id,
        execution_id=execution.id,
        route_id="third",
        payload={"name": "z"},
        parent_id=child.parent_id,
    )
    with pytest.raises(EmissionChanged):
        await ledgers.groups.settle_together(
            [settlement(claims[0], children=[other]), settlement(claims[1])], now=NOW
        )
    assert await counts(ledgers, execution) == (3, 1)


async def to_come(
    ledgers: GroupLedgers,
    execution: Execution,
    *,
    owner: UUID = OWNER,
    apart_from: tuple[str, ...] = (),
    limit: int = 100,
) -> int:
    """How many messages may still come to the owner's part of the route ``second``."""
    return await ledgers.groups.still_to_come(
        execution.id, "second", owner=owner, apart_from=apart_from, limit=limit
    )


async def test_what_is_unsettled_on_other_routes_may_still_come(ledgers: GroupLedgers) -> None:
    """Queued or claimed, by whomever, unless its route is known to lead elsewhere."""
    execution = await ledgers.started()
    assert await to_come(ledgers, execution) == 1
    await ledgers.claimed(init_message_id(execution.id), owner=uuid4())
    assert await to_come(ledgers, execution) == 1
    assert await to_come(ledgers, execution, apart_from=("first",)) == 0


async def test_what_is_queued_on_the_route_may_still_come(ledgers: GroupLedgers) -> None:
    """Due or not: a message that waits for its next attempt will be there again."""
    execution, claims = await fanned_out(ledgers, "a", "b")
    await ledgers.settled(claims[0], Outcome.RETRY, not_before=LATER)
    assert await to_come(ledgers, execution, owner=uuid4()) == 1


async def test_of_what_is_claimed_on_the_route_the_owners_own_counts(ledgers: GroupLedgers) -> None:
    execution, claims = await fanned_out(ledgers, "a", "b", "c")
    assert await to_come(ledgers, execution) == 3
    assert await to_come(ledgers, execution, limit=2) == 2
    assert await to_come(ledgers, execution, owner=uuid4()) == 0
    await ledgers.settled(claims[0])
    assert await to_come(ledgers, execution) == 2


async def test_what_is_settled_and_what_is_of_other_executions_does_not_count(ledgers: GroupLedgers) -> None:
    execution, claims = await fanned_out(ledgers, "a")
    await fanned_out(ledgers, "b", "c")
    await ledgers.settled(claims[0])
    assert await to_come(ledgers, execution) == 0
