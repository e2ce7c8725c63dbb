"""What every ``Ledger`` does."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from uuid import uuid4

import pytest

from application.ports.ledger import ClaimRequest, Handover
from domain.execution import ExecutionStatus
from domain.message import EmissionChanged, Outcome, PayloadRejected, init_message_id
from tests.contracts.ledgers import LATER, NOW, OWNER, Ledgers, children, ledgers, settlement

__all__ = ["ledgers"]


async def test_a_message_is_claimed_by_one_of_two_who_ask(ledgers: Ledgers) -> None:
    """The second token gets nothing."""
    execution = await ledgers.started()
    first = await ledgers.claimed(init_message_id(execution.id))
    second = await ledgers.claimed(init_message_id(execution.id))
    assert (len(first), second) == (1, [])
    assert first[0].attempt == 1
    assert first[0].message.payload == {"hello": "world"}


async def test_a_claim_asked_for_again_under_its_token_is_the_same_claim(ledgers: Ledgers) -> None:
    """So a claim whose commit has an unknown outcome is simply asked for again."""
    execution = await ledgers.started()
    request = ClaimRequest(message_id=init_message_id(execution.id), token=uuid4())
    first = await ledgers.messages.claim([request], owner=OWNER, now=NOW)
    again = await ledgers.messages.claim([request], owner=OWNER, now=NOW)
    assert list(again) == list(first)


async def test_an_unknown_message_cannot_be_claimed(ledgers: Ledgers) -> None:
    """It is left out without an error."""
    assert await ledgers.claimed(uuid4()) == []


async def test_settling_the_last_message_completes_the_execution(ledgers: Ledgers) -> None:
    """In the same transaction, and the settlement says so."""
    execution = await ledgers.started()
    settled = await ledgers.settled(await ledgers.claimed_init(execution))
    assert settled.accepted
    assert settled.finished is ExecutionStatus.COMPLETED
    assert (await ledgers.seen(execution.id)).status is ExecutionStatus.COMPLETED


async def test_children_keep_the_execution_running_until_they_are_settled(ledgers: Ledgers) -> None:
    """The parent's settlement and the children's birth are one step, so nothing ends early."""
    execution = await ledgers.started()
    claim = await ledgers.claimed_init(execution)
    settled = await ledgers.settled(claim, children=children(claim, "a", "b"))
    assert settled.finished is None
    assert [child.payload for child in settled.published] == [{"name": "a"}, {"name": "b"}]
    for child in await ledgers.claimed(*(child.id for child in settled.published)):
        settled = await ledgers.settled(child, Outcome.SKIPPED)
    assert settled.finished is ExecutionStatus.COMPLETED
    counts = (await ledgers.seen(execution.id)).counts
    assert (counts.done, counts.skipped, counts.outstanding) == (1, 2, 0)


async def test_a_settlement_repeated_is_accepted_and_counts_once(ledgers: Ledgers) -> None:
    """The outcome of a commit may be unknown; running it again is right."""
    execution = await ledgers.started()
    claim = await ledgers.claimed_init(execution)
    for _ in range(3):
        settled = await ledgers.settled(claim, children=children(claim, "a"))
        assert settled.accepted
        assert len(settled.published) == 1
    counts = (await ledgers.seen(execution.id)).counts
    assert (counts.done, counts.outstanding) == (1, 1)


async def test_a_zombie_changes_nothing(ledgers: Ledgers) -> None:
    """After a sweep the old claim is void; the new one counts."""
    execution = await ledgers.started()
    zombie = await ledgers.claimed_init(execution)
    await ledgers.executions.sweep(live_owners=[], now=NOW)
    successor = await ledgers.claimed_init(execution)
    assert successor.attempt == 2
    settled = await ledgers.settled(zombie, children=children(zombie, "from the dead"))
    assert not settled.accepted
    assert settled.published == ()
    assert (await ledgers.settled(successor)).finished is ExecutionStatus.COMPLETED
    assert (await ledgers.seen(execution.id)).counts.total == 1


async def test_a_retry_waits_until_it_is_due(ledgers: Ledgers) -> None:
    """It is queued, not claimable before its time, and counts as a retry."""
    execution = await ledgers.started()
    claim = await ledgers.claimed_init(execution)
    await ledgers.settled(claim, Outcome.RETRY, not_before=LATER, error={"code": "x"})
    message = claim.message.id
    assert await ledgers.claimed(message) == []
    assert await ledgers.messages.waiting(execution.id, "first", limit=9, now=NOW) == []
    assert await ledgers.messages.next_due(execution.id, "first", after=NOW) == LATER
    assert await ledgers.messages.next_due(execution.id, "first", after=LATER) is None
    assert await ledgers.messages.waiting(execution.id, "first", limit=9, now=LATER) == [message]
    (again,) = await ledgers.claimed(message, now=LATER)
    assert (again.attempt, again.retries) == (2, 1)


async def test_a_release_uses_up_no_retry(ledgers: Ledgers) -> None:
    """The message is there again at once."""
    execution = await ledgers.started()
    await ledgers.settled(await ledgers.claimed_init(execution), Outcome.RELEASE)
    claim = await ledgers.claimed_init(execution)
    assert (claim.attempt, claim.retries) == (2, 0)


async def test_a_dead_init_message_fails_the_execution(ledgers: Ledgers) -> None:
    """With the error as the execution's own."""
    execution = await ledgers.started()
    claim = await ledgers.claimed_init(execution)
    settled = await ledgers.settled(claim, Outcome.DEAD, error={"code": "broken"})
    assert settled.finished is ExecutionStatus.FAILED
    seen = await ledgers.seen(execution.id)
    assert (seen.status, seen.error_info) == (ExecutionStatus.FAILED, {"code": "broken"})


async def test_a_dead_message_further_on_does_not_fail_the_execution(ledgers: Ledgers) -> None:
    """It completes, and its counts say how many are dead."""
    execution = await ledgers.started()
    claim = await ledgers.claimed_init(execution)
    settled = await ledgers.settled(claim, children=children(claim, "a"))
    (child,) = await ledgers.claimed(settled.published[0].id)
    settled = await ledgers.settled(child, Outcome.DEAD, error={"code": "unreadable"})
    assert settled.finished is ExecutionStatus.COMPLETED
    assert (await ledgers.seen(execution.id)).counts.dead == 1


async def test_settling_for_a_cancelled_execution_cancels_the_message(ledgers: Ledgers) -> None:
    """A fan-out that was under way brings no children into being."""
    execution = await ledgers.started()
    claim = await ledgers.claimed_init(execution)
    await ledgers.executions.conclude(execution.id, ExecutionStatus.CANCELLED, now=NOW)
    settled = await ledgers.settled(claim, children=children(claim, "a"))
    assert settled.accepted
    assert not settled.published
    counts = (await ledgers.seen(execution.id)).counts
    assert (counts.cancelled, counts.outstanding, counts.total) == (1, 0, 1)


async def test_chunks_of_a_fan_out_are_there_before_their_parent_is_settled(ledgers: Ledgers) -> None:
    """And the execution cannot end between two chunks."""
    execution = await ledgers.started()
    claim = await ledgers.claimed_init(execution)
    first, second = children(claim, "a", "b"), children(claim, "c")
    assert (await ledgers.messages.extend(claim.message.id, claim.token, first, now=NOW)).accepted
    for child in await ledgers.claimed(*(child.id for child in first)):
        assert (await ledgers.settled(child)).finished is None
    assert (await ledgers.messages.extend(claim.message.id, claim.token, first + second, now=NOW)).accepted
    assert (await ledgers.settled(claim, children=second)).finished is None
    assert (await ledgers.seen(execution.id)).counts.outstanding == 1


async def test_a_chunk_is_refused_without_the_claim_or_after_the_end(ledgers: Ledgers) -> None:
    """Each chunk is fenced by the claim and re-checks the execution."""
    execution = await ledgers.started()
    claim = await ledgers.claimed_init(execution)
    chunk = children(claim, "a")
    assert not (await ledgers.messages.extend(claim.message.id, uuid4(), chunk, now=NOW)).accepted
    await ledgers.executions.conclude(execution.id, ExecutionStatus.CANCELLED, now=NOW)
    assert not (await ledgers.messages.extend(claim.message.id, claim.token, chunk, now=NOW)).accepted
    assert (await ledgers.seen(execution.id)).counts.total == 1


async def test_an_emission_that_comes_back_changed_is_an_error(ledgers: Ledgers) -> None:
    """Not silently kept."""
    execution = await ledgers.started()
    claim = await ledgers.claimed_init(execution)
    chunk = children(claim, "a")
    await ledgers.messages.extend(claim.message.id, claim.token, chunk, now=NOW)
    changed = children(claim, "a")[0]
    object.__setattr__(changed, "payload", {"name": "something else"})
    with pytest.raises(EmissionChanged):
        await ledgers.messages.extend(claim.message.id, claim.token, [changed], now=NOW)


async def test_two_emissions_under_one_key_must_be_the_same(ledgers: Ledgers) -> None:
    """Within one settlement as over several."""
    execution = await ledgers.started()
    claim = await ledgers.claimed_init(execution)
    twice = children(claim, "a") + children(claim, "a")
    object.__setattr__(twice[1], "payload", {"name": "something else"})
    with pytest.raises(EmissionChanged):
        await ledgers.settled(claim, children=twice)
    same = children(claim, "a") + children(claim, "a")
    await ledgers.settled(claim, children=same)
    assert (await ledgers.seen(execution.id)).counts.outstanding == 1


async def test_of_two_settlements_of_one_claim_the_first_counts(ledgers: Ledgers) -> None:
    """Also when they come in the same call."""
    execution = await ledgers.started()
    claim = await ledgers.claimed_init(execution)
    both = [settlement(claim, Outcome.DONE), settlement(claim, Outcome.RELEASE)]
    await ledgers.messages.settle(both, now=NOW)
    assert (await ledgers.seen(execution.id)).counts.done == 1


async def test_what_its_own_claim_has_put_back_cannot_be_settled_any_more(ledgers: Ledgers) -> None:
    """Two groups may be on their way at once: the children would be told of, and not be there."""
    execution = await ledgers.started()
    claim = await ledgers.claimed_init(execution)
    born = children(claim, "a")
    released, done = settlement(claim, Outcome.RELEASE), settlement(claim, children=born)
    taken = Handover(owner=OWNER, message_ids={born[0].id})
    for _ in range(2):
        answers = await ledgers.messages.settle([released, done], now=NOW, handover=taken)
        assert [one.accepted for one in answers] == [True, False]
        assert not answers[1].published
        assert not answers[1].handed_over
    assert not (await ledgers.settled(claim, Outcome.DEAD, error={})).accepted
    assert (
        await ledgers.settled(await ledgers.claimed_init(execution))
    ).finished is ExecutionStatus.COMPLETED


@pytest.mark.parametrize("value", ["a\0b", "\ud800", float("nan"), {1, 2}], ids=repr)
async def test_a_payload_that_cannot_be_stored_spoils_its_call_and_nothing_else(
    ledgers: Ledgers, value: object
) -> None:
    """The caller divides the batch and finds the culprit."""
    execution = await ledgers.started()
    claim = await ledgers.claimed_init(execution)
    bad = children(claim, "a")
    object.__setattr__(bad[0], "payload", {"name": value})
    with pytest.raises(PayloadRejected):
        await ledgers.settled(claim, children=bad)
    assert (await ledgers.settled(claim)).finished is ExecutionStatus.COMPLETED


async def test_waiting_messages_come_in_the_order_in_which_they_were_emitted(ledgers: Ledgers) -> None:
    """Up to the limit, and only those of the route."""
    execution = await ledgers.started()
    claim = await ledgers.claimed_init(execution)
    born = children(claim, *(str(number) for number in range(20)))
    await ledgers.settled(claim, children=born)
    found = await ledgers.messages.waiting(execution.id, "second", limit=7, now=NOW)
    assert list(found) == [child.id for child in born[:7]]
    assert await ledgers.messages.waiting(execution.id, "first", limit=7, now=NOW) == []


async def test_nothing_waits_in_an_execution_that_has_ended(ledgers: Ledgers) -> None:
    """What is still queued there cannot be claimed any more, so nobody is to be sent for it."""
    execution = await ledgers.started()
    assert len(await ledgers.messages.waiting(execution.id, "first", limit=7, now=NOW)) == 1
    await ledgers.executions.conclude(execution.id, ExecutionStatus.CANCELLED, now=NOW)
    assert await ledgers.messages.waiting(execution.id, "first", limit=7, now=NOW) == []


async def test_many_at_once_settle_each_exactly_once(ledgers: Ledgers) -> None:
    """Claims, settlements and rival claims of the same messages by several tasks."""
    execution = await ledgers.started()
    claim = await ledgers.claimed_init(execution)
    born = children(claim, *(str(number) for number in range(60)))
    await ledgers.settled(claim, children=born)

    async def work() -> int:
        accepted = 0
        for child in born:
            for held in await ledgers.claimed(child.id, owner=uuid4()):
                (settled,) = await ledgers.messages.settle([settlement(held)], now=NOW + timedelta(seconds=1))
                accepted += settled.accepted
        return accepted

    assert sum(await asyncio.gather(*(work() for _ in range(4)))) == 60
    seen = await ledgers.seen(execution.id)
    assert (seen.status, seen.counts.done) == (ExecutionStatus.COMPLETED, 61)
