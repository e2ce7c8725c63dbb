"""What every ``ExecutionLedger`` does."""

from __future__ import annotations

import asyncio
from datetime import datetime
from uuid import UUID, uuid4

import pytest

from domain.execution import (
    ExecutionNotFound,
    ExecutionStatus,
    StatusChangeNotAllowed,
    TagTaken,
    TooManyConcurrentExecutions,
)
from domain.message import Outcome, PayloadRejected, init_message_id
from tests.contracts.ledgers import LATER, NOW, OWNER, Ledgers, children, init_message, ledgers, new_execution

__all__ = ["ledgers"]


async def test_an_execution_without_an_init_message_is_completed_at_once(ledgers: Ledgers) -> None:
    """Nothing would ever end it otherwise."""
    execution = await ledgers.executions.start(new_execution(), None)
    assert execution.status is ExecutionStatus.COMPLETED
    assert execution.completed_at == NOW


async def test_starting_twice_changes_nothing(ledgers: Ledgers) -> None:
    """The second start returns what is there."""
    execution = await ledgers.started(tag="mine")
    again = await ledgers.executions.start(execution, init_message(execution))
    assert again == execution
    assert again.counts.outstanding == 1


async def test_a_tag_is_given_once(ledgers: Ledgers) -> None:
    """And nothing of the refused execution remains."""
    await ledgers.started(tag="mine")
    refused = new_execution(tag="mine")
    with pytest.raises(TagTaken):
        await ledgers.executions.start(refused, init_message(refused))
    assert len(await ledgers.executions.unfinished()) == 1


async def test_the_limit_of_running_executions_is_kept(ledgers: Ledgers) -> None:
    """Ended ones do not count."""
    first = await ledgers.started()
    second = new_execution()
    with pytest.raises(TooManyConcurrentExecutions):
        await ledgers.executions.start(second, init_message(second), limit=1)
    await ledgers.executions.conclude(first.id, ExecutionStatus.CANCELLED, now=NOW)
    await ledgers.executions.start(second, init_message(second), limit=1)


async def test_an_init_payload_that_cannot_be_stored_starts_nothing(ledgers: Ledgers) -> None:
    """Execution and init message are one transaction."""
    execution = new_execution()
    message = init_message(execution)
    object.__setattr__(message, "payload", {"text": "a\0b"})
    with pytest.raises(PayloadRejected):
        await ledgers.executions.start(execution, message)


async def test_a_status_changes_as_the_table_allows(ledgers: Ledgers) -> None:
    """By compare-and-set; the answer is the status before."""
    execution = await ledgers.started()
    conclude = ledgers.executions.conclude
    assert await conclude(execution.id, ExecutionStatus.INTERRUPTED, now=NOW) is ExecutionStatus.RUNNING
    assert await conclude(execution.id, ExecutionStatus.RUNNING, now=NOW) is ExecutionStatus.INTERRUPTED
    assert await conclude(execution.id, ExecutionStatus.CANCELLED, now=NOW) is ExecutionStatus.RUNNING
    with pytest.raises(StatusChangeNotAllowed):
        await conclude(execution.id, ExecutionStatus.COMPLETED, now=NOW)


@pytest.mark.parametrize(
    "end", [ExecutionStatus.COMPLETED, ExecutionStatus.FAILED, ExecutionStatus.CANCELLED]
)
async def test_what_has_ended_is_not_running_again_by_being_told_so(
    ledgers: Ledgers, end: ExecutionStatus
) -> None:
    """Nothing of it would ever end it: only an interrupted one is set back to running."""
    execution = await ledgers.started()
    await ledgers.executions.conclude(execution.id, ExecutionStatus.INTERRUPTED, now=NOW)
    if end is ExecutionStatus.COMPLETED:
        await ledgers.settled(await ledgers.claimed_init(execution))
    else:
        await ledgers.executions.conclude(execution.id, end, now=NOW)
    with pytest.raises(StatusChangeNotAllowed):
        await ledgers.executions.conclude(execution.id, ExecutionStatus.RUNNING, now=LATER)
    seen = await ledgers.seen(execution.id)
    assert (seen.status, seen.completed_at) == (end, NOW)


async def test_an_unknown_execution_cannot_be_concluded(ledgers: Ledgers) -> None:
    """There is an error for it."""
    with pytest.raises(ExecutionNotFound):
        await ledgers.executions.conclude(uuid4(), ExecutionStatus.CANCELLED, now=NOW)


async def test_what_waits_of_a_cancelled_execution_is_discarded_in_batches(ledgers: Ledgers) -> None:
    """Until nothing is outstanding."""
    execution = await ledgers.started()
    claim = await ledgers.claimed_init(execution)
    await ledgers.settled(claim, children=children(claim, *"abcde"))
    await ledgers.executions.conclude(execution.id, ExecutionStatus.CANCELLED, now=NOW)
    counts = [await ledgers.executions.discard_queued(execution.id, limit=3, now=NOW) for _ in range(3)]
    assert counts == [3, 2, 0]
    seen = await ledgers.seen(execution.id)
    assert (seen.status, seen.counts.cancelled, seen.counts.outstanding) == (ExecutionStatus.CANCELLED, 5, 0)


async def test_who_discards_beside_others_takes_what_they_leave(ledgers: Ledgers) -> None:
    """None is told that there is nothing while there is."""
    execution = await ledgers.started()
    claim = await ledgers.claimed_init(execution)
    await ledgers.settled(claim, children=children(claim, *(str(number) for number in range(60))))
    await ledgers.executions.conclude(execution.id, ExecutionStatus.CANCELLED, now=NOW)
    discards = (ledgers.executions.discard_queued(execution.id, limit=10, now=NOW) for _ in range(6))
    assert await asyncio.gather(*discards) == [10] * 6
    assert (await ledgers.seen(execution.id)).counts.outstanding == 0


async def test_a_sweep_gives_back_what_the_dead_had_claimed(ledgers: Ledgers) -> None:
    """And leaves alone what the living hold."""
    execution = await ledgers.started()
    claim = await ledgers.claimed_init(execution)
    born = children(claim, "a", "b")
    await ledgers.settled(claim, children=born)
    gone = uuid4()
    await ledgers.claimed(born[0].id, owner=gone)
    await ledgers.claimed(born[1].id)
    (recovered,) = await ledgers.executions.sweep(live_owners=[OWNER], now=NOW)
    assert (recovered.execution_id, recovered.messages) == (execution.id, 1)
    assert await ledgers.messages.waiting(execution.id, "second", limit=9, now=NOW) == [born[0].id]


async def test_a_sweep_settles_what_the_dead_had_claimed_of_a_cancelled_execution(ledgers: Ledgers) -> None:
    """It does not come back."""
    execution = await ledgers.started()
    await ledgers.claimed_init(execution)
    await ledgers.executions.conclude(execution.id, ExecutionStatus.CANCELLED, now=NOW)
    assert await ledgers.executions.sweep(live_owners=[], now=NOW) == []
    assert (await ledgers.seen(execution.id)).counts.cancelled == 1


async def test_unfinished_executions_are_those_with_something_left_to_do(ledgers: Ledgers) -> None:
    """Running ones, and ended ones with messages not yet settled behind them."""
    done = await ledgers.started()
    await ledgers.settled(await ledgers.claimed_init(done))
    running = await ledgers.started()
    cancelled = await ledgers.started()
    await ledgers.executions.conclude(cancelled.id, ExecutionStatus.CANCELLED, now=NOW)
    found = {execution.id for execution in await ledgers.executions.unfinished()}
    assert found == {running.id, cancelled.id}


async def test_a_running_execution_that_nobody_keeps_is_interrupted(ledgers: Ledgers) -> None:
    """Unless it began a moment ago: then its owner may not have had the time to say so."""
    kept, lost = await ledgers.started(), await ledgers.started()
    young = await ledgers.started(started_at=LATER)
    swept = await ledgers.executions.sweep(live_owners=[OWNER], now=LATER, kept=[kept.id], begun_by=NOW)
    assert [(one.execution_id, one.messages, one.is_interrupted) for one in swept] == [(lost.id, 0, True)]
    statuses = [(await ledgers.seen(one.id)).status for one in (kept, lost, young)]
    assert statuses == [ExecutionStatus.RUNNING, ExecutionStatus.INTERRUPTED, ExecutionStatus.RUNNING]
    assert await ledgers.executions.sweep(live_owners=[], now=LATER, kept=[kept.id], begun_by=NOW) == []


async def test_an_interrupted_execution_still_completes(ledgers: Ledgers) -> None:
    """Its last message may have been in the hands of somebody who was only slow."""
    execution = await ledgers.started()
    claim = await ledgers.claimed_init(execution)
    await ledgers.executions.sweep(live_owners=[OWNER], now=NOW, kept=[])
    assert (await ledgers.seen(execution.id)).status is ExecutionStatus.INTERRUPTED
    settled = await ledgers.settled(claim)
    assert (settled.accepted, settled.finished) == (True, ExecutionStatus.COMPLETED)


async def test_who_was_swept_settles_nothing_any_more(ledgers: Ledgers) -> None:
    """Its token is gone, also while nobody has claimed the message again."""
    execution = await ledgers.started()
    claim = await ledgers.claimed_init(execution)
    await ledgers.executions.sweep(live_owners=[], now=NOW)
    assert not (await ledgers.settled(claim)).accepted
    assert (await ledgers.seen(execution.id)).counts.outstanding == 1


async def crashed(ledgers: Ledgers, message_id: UUID, times: int) -> None:
    """Let so many processes die with a message."""
    for _ in range(times):
        await ledgers.claimed(message_id, alone=True)
        await ledgers.executions.sweep(live_owners=[], now=NOW)


async def test_a_message_becomes_a_suspect_with_the_second_crash(ledgers: Ledgers) -> None:
    """Every death counts for all that the process had claimed."""
    execution = await ledgers.started()
    message_id = init_message_id(execution.id)
    found = []
    for _ in range(4):
        await crashed(ledgers, message_id, 1)
        suspects = await ledgers.executions.suspects([execution.id], limit=9, now=NOW)
        found.append([(one.message_id, one.route_id, one.crashes) for one in suspects])
    assert found == [[], *([(message_id, "first", crashes)] for crashes in (2, 3, 4))]


async def test_suspects_are_those_that_wait_of_the_executions_asked_for(ledgers: Ledgers) -> None:
    """The oldest first, and no more than asked for."""
    execution, other = await ledgers.started(), await ledgers.started()
    await crashed(ledgers, init_message_id(other.id), 2)
    claim = await ledgers.claimed_init(execution)
    born = children(claim, "a", "b", "c")
    await ledgers.settled(claim, children=born)
    for child in born:
        await crashed(ledgers, child.id, 2)
    await ledgers.claimed(born[0].id, alone=True)
    (later,) = await ledgers.claimed(born[1].id, alone=True)
    await ledgers.settled(later, Outcome.RETRY, not_before=LATER)

    async def suspects(limit: int = 9, now: datetime = NOW) -> list[UUID]:
        found = await ledgers.executions.suspects([execution.id], limit=limit, now=now)
        return [one.message_id for one in found]

    assert await suspects() == [born[2].id]
    assert await suspects(now=LATER) == [born[1].id, born[2].id]
    assert await suspects(limit=1, now=LATER) == [born[1].id]
    assert await ledgers.executions.suspects([], limit=9, now=NOW) == []


async def test_a_suspect_is_handed_out_alone_only(ledgers: Ledgers) -> None:
    """An ordinary consumer neither sees nor gets it."""
    execution = await ledgers.started()
    message_id = init_message_id(execution.id)
    await crashed(ledgers, message_id, 2)
    assert await ledgers.messages.waiting(execution.id, "first", limit=9, now=NOW) == []
    assert await ledgers.claimed(message_id) == []
    (claim,) = await ledgers.claimed(message_id, alone=True)
    assert (await ledgers.settled(claim)).finished is ExecutionStatus.COMPLETED
