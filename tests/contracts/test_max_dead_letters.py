"""More dead messages than an execution may have fail it, in the transaction in which the last of them dies."""

from __future__ import annotations

import pytest

from domain.dead_letter import DeadLetterFilter
from domain.execution import ExecutionStatus, too_many_dead
from domain.message import Outcome, Settlement
from tests.contracts.dead_letters import REASON, Mailroom, room
from tests.contracts.ledgers import NOW, children, settlement

__all__ = ["room"]


@pytest.mark.parametrize("most", [0, 1, 2])
async def test_one_dead_message_too_many_fails_the_execution(room: Mailroom, most: int) -> None:
    """As many as are allowed do not."""
    execution, ids = await room.children(*"abcd", max_dead_letters=most)
    for number, name in enumerate("abcd"[: most + 1]):
        assert (await room.ledgers.seen(execution.id)).status is ExecutionStatus.RUNNING
        claim = await room.claim(ids[name])
        settled = await room.ledgers.settled(claim, Outcome.DEAD, error=REASON)
        assert settled.finished is (ExecutionStatus.FAILED if number == most else None)
    seen = await room.ledgers.seen(execution.id)
    assert (seen.status, seen.completed_at) == (ExecutionStatus.FAILED, NOW)
    assert seen.error_info == too_many_dead(most + 1, most)


async def test_without_a_limit_any_number_may_be_dead(room: Mailroom) -> None:
    """The execution completes."""
    execution, _ = await room.dead(*"abcd")
    assert (execution.status, execution.max_dead_letters) == (ExecutionStatus.COMPLETED, None)


async def test_many_that_die_in_one_transaction_are_counted_together(room: Mailroom) -> None:
    """All of them."""
    execution, ids = await room.children(*"abcd", max_dead_letters=2)
    claims = [await room.claim(message_id) for message_id in ids.values()]
    dying: list[Settlement] = [settlement(claim, Outcome.DEAD, error=REASON) for claim in claims]
    await room.ledgers.messages.settle(dying, now=NOW)
    seen = await room.ledgers.seen(execution.id)
    assert (seen.status, seen.error_info is not None) == (ExecutionStatus.FAILED, True)


async def test_a_run_that_failed_for_its_dead_goes_on_when_they_are_redriven(room: Mailroom) -> None:
    """Fewer are dead then; the next one too many fails it again."""
    execution, ids = await room.children(*"abc", max_dead_letters=1)
    await room.settle(ids["a"])
    await room.settle(ids["b"])
    redriven = await room.redrive(execution, DeadLetterFilter(message_id=ids["a"]))
    assert (redriven.execution.status, redriven.execution.max_dead_letters) == (ExecutionStatus.RUNNING, 1)
    await room.settle(ids["a"], Outcome.DONE)
    assert (await room.ledgers.seen(execution.id)).status is ExecutionStatus.RUNNING
    await room.settle(ids["c"])
    assert (await room.ledgers.seen(execution.id)).status is ExecutionStatus.FAILED


async def test_what_was_purged_may_be_emitted_again(room: Mailroom) -> None:
    """A parent that is tried again finds its child dead, and that is no contradiction."""
    execution = await room.ledgers.started()
    claim = await room.ledgers.claimed_init(execution)
    born = children(claim, "a")
    await room.ledgers.messages.extend(claim.message.id, claim.token, born, now=NOW)
    await room.settle(born[0].id)
    await room.letters.purge(DeadLetterFilter(message_id=born[0].id), limit=1, now=NOW)
    settled = await room.ledgers.settled(claim, children=children(claim, "a", "b"))
    assert settled.accepted
    counts = (await room.ledgers.seen(execution.id)).counts
    assert (counts.dead, counts.done, counts.outstanding) == (1, 1, 1)
