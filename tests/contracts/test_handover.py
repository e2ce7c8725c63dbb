"""What every ``Ledger`` does with children that are claimed as they are born."""

from __future__ import annotations

from uuid import UUID, uuid4

from application.ports.ledger import Handover, Settled
from domain.execution import ExecutionStatus
from domain.message import Claim, Message, Outcome
from tests.contracts.ledgers import LATER, NOW, OWNER, Ledgers, children, ledgers, settlement

__all__ = ["ledgers"]


def handover(*messages: Message, owner: UUID = OWNER) -> Handover:
    """A handover of some messages."""
    return Handover(owner=owner, message_ids={message.id for message in messages})


def claim_at_birth(child: Message, parent: Claim) -> Claim:
    """The claim on a child that was handed over."""
    return Claim(message=child, token=parent.token, attempt=1)


async def settled(
    ledgers: Ledgers, claim: Claim, born: list[Message], *handed_over: Message, owner: UUID = OWNER
) -> Settled:
    """What becomes of a settlement with children, of which some are to be handed over."""
    (one,) = await ledgers.messages.settle(
        [settlement(claim, children=born)], now=NOW, handover=handover(*handed_over, owner=owner)
    )
    return one


async def test_a_child_named_in_the_handover_is_born_claimed_and_the_others_queued(ledgers: Ledgers) -> None:
    """Each child is either published or handed over, and nobody else can claim the one handed over."""
    execution = await ledgers.started()
    claim = await ledgers.claimed_init(execution)
    first, second = children(claim, "a", "b")
    answer = await settled(ledgers, claim, [first, second], first)
    assert ([one.id for one in answer.handed_over], [one.id for one in answer.published]) == (
        [first.id],
        [second.id],
    )
    assert await ledgers.messages.waiting(execution.id, "second", limit=9, now=NOW) == [second.id]
    assert await ledgers.claimed(first.id) == []


async def test_a_child_that_was_handed_over_settles_under_its_parents_token(ledgers: Ledgers) -> None:
    """And completes the execution when it was the last."""
    execution = await ledgers.started()
    claim = await ledgers.claimed_init(execution)
    (child,) = children(claim, "a")
    await settled(ledgers, claim, [child], child)
    answer = await ledgers.settled(claim_at_birth(child, claim))
    assert answer.accepted
    assert answer.finished is ExecutionStatus.COMPLETED


async def test_a_handover_that_is_repeated_hands_over_the_same(ledgers: Ledgers) -> None:
    """So a settlement whose commit has an unknown outcome is simply asked for again."""
    execution = await ledgers.started()
    claim = await ledgers.claimed_init(execution)
    born = children(claim, "a", "b")
    first = await settled(ledgers, claim, born, born[0])
    again = await settled(ledgers, claim, born, born[0])
    assert [one.id for one in again.handed_over] == [one.id for one in first.handed_over] == [born[0].id]
    assert [one.id for one in again.published] == [born[1].id]
    assert (await ledgers.seen(execution.id)).counts.outstanding == 2


async def test_a_child_that_exists_already_is_not_handed_over(ledgers: Ledgers) -> None:
    """A second attempt at a fan-out leaves alone what the first one's children are doing."""
    execution = await ledgers.started()
    claim = await ledgers.claimed_init(execution)
    early, late = children(claim, "a", "b")
    await ledgers.messages.extend(claim.message.id, claim.token, [early], now=NOW)
    await ledgers.settled(claim, Outcome.RETRY, not_before=NOW)
    again = await ledgers.claimed_init(execution)
    answer = await settled(ledgers, again, [early, late], early, late)
    assert [one.id for one in answer.handed_over] == [late.id]
    assert [one.id for one in answer.published] == [early.id]


async def test_a_zombie_hands_nothing_over(ledgers: Ledgers) -> None:
    """Its settlement changes nothing, so there are no children."""
    execution = await ledgers.started()
    claim = await ledgers.claimed_init(execution)
    (child,) = children(claim, "a")
    zombie = Claim(message=claim.message, token=uuid4(), attempt=1)
    answer = await settled(ledgers, zombie, [child], child)
    assert not answer.accepted
    assert not answer.handed_over
    assert not answer.published


async def test_a_chunk_of_a_fan_out_can_be_handed_over(ledgers: Ledgers) -> None:
    """As a settlement's children can."""
    execution = await ledgers.started()
    claim = await ledgers.claimed_init(execution)
    born = children(claim, "a", "b")
    answer = await ledgers.messages.extend(
        claim.message.id, claim.token, born, now=NOW, handover=handover(born[1])
    )
    assert answer.accepted
    assert [one.id for one in answer.handed_over] == [born[1].id]
    assert [one.id for one in answer.published] == [born[0].id]
    assert (await ledgers.settled(claim_at_birth(born[1], claim))).accepted


async def test_a_cancelled_execution_hands_nothing_over(ledgers: Ledgers) -> None:
    """There are no children any more."""
    execution = await ledgers.started()
    claim = await ledgers.claimed_init(execution)
    (child,) = children(claim, "a")
    await ledgers.executions.conclude(execution.id, ExecutionStatus.CANCELLED, now=NOW)
    answer = await settled(ledgers, claim, [child], child)
    assert answer.accepted
    assert not answer.handed_over
    assert (await ledgers.seen(execution.id)).counts.cancelled == 1


async def test_what_was_handed_over_and_never_begun_goes_back_without_an_attempt(ledgers: Ledgers) -> None:
    """Its next claim is its first attempt again."""
    execution = await ledgers.started()
    claim = await ledgers.claimed_init(execution)
    (child,) = children(claim, "a")
    await settled(ledgers, claim, [child], child)
    await ledgers.settled(claim_at_birth(child, claim), Outcome.HAND_BACK)
    (again,) = await ledgers.claimed(child.id)
    assert again.attempt == 1


async def test_a_sweep_gives_back_what_was_handed_over_to_the_dead(ledgers: Ledgers) -> None:
    """It is claimed like any other message, and its late settlement counts for nothing."""
    execution = await ledgers.started()
    claim = await ledgers.claimed_init(execution)
    (child,) = children(claim, "a")
    await settled(ledgers, claim, [child], child, owner=uuid4())
    recovered = await ledgers.executions.sweep(live_owners=[OWNER], now=LATER)
    assert [one.messages for one in recovered] == [1]
    assert not (await ledgers.settled(claim_at_birth(child, claim))).accepted
    assert len(await ledgers.claimed(child.id, now=LATER)) == 1
