"""What every ``DeadLetters`` does."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta
from uuid import UUID, uuid4

import pytest

from application.ports.dead_letters import Redriven
from domain.claim_check import REFERENCE, payload_key
from domain.dead_letter import DeadLetterFilter, DeadLetterNotFound, MessageNotDead
from domain.execution import (
    ExecutionNotFound,
    ExecutionStatus,
    RedriveNotAllowed,
    TooManyConcurrentExecutions,
)
from domain.json import JsonObject
from domain.message import Outcome, init_message_id
from tests.contracts.dead_letters import ALL, REASON, Mailroom, room
from tests.contracts.ledgers import LATER, NOW, children, settlement

__all__ = ["room"]


async def test_a_dead_letter_tells_the_message_and_why_it_is_dead(room: Mailroom) -> None:
    """With every attempt counted."""
    execution, ids = await room.children("a")
    await room.settle(ids["a"], Outcome.RETRY)
    await room.settle(ids["a"], error={**REASON, "adapter_name": "reader", "stage_name": "text"})
    letter = await room.letters.get(ids["a"])
    assert (letter.message.payload, letter.message.route_id) == ({"name": "a"}, "second")
    assert letter.message.execution_id == execution.id
    assert (letter.error["code"], letter.adapter_name, letter.stage_name) == ("invalid", "reader", "text")
    assert (letter.attempts, letter.retries, letter.dead_at) == (2, 1, NOW)
    assert letter.purged_at is None


async def test_what_is_not_dead_is_no_dead_letter(room: Mailroom) -> None:
    """Nor what does not exist."""
    _, ids = await room.children("a")
    with pytest.raises(MessageNotDead):
        await room.letters.get(ids["a"])
    with pytest.raises(DeadLetterNotFound):
        await room.letters.get(uuid4())
    assert await room.listed() == []


async def test_pages_follow_one_another_without_a_gap(room: Mailroom) -> None:
    """The earliest dead first, those of one moment by id, whatever happens between two pages."""
    _, first = await room.dead(*"abc")
    _, second = await room.dead(*"abc")
    everything = await room.listed()
    assert sorted(everything) == sorted([*first.values(), *second.values()])
    seen: list[UUID] = []
    after = None
    while True:
        page = await room.letters.list(ALL, limit=2, after=after)
        assert (page.total, page.is_total_exact) == (6, True)
        seen += [letter.message.id for letter in page.letters]
        after = page.following
        if after is None:
            break
    assert seen == everything
    page = await room.letters.list(ALL, limit=2, offset=3)
    assert [letter.message.id for letter in page.letters] == everything[3:5]


async def test_a_page_begins_after_a_letter_that_is_not_dead_any_more(room: Mailroom) -> None:
    """The position is enough."""
    execution, ids = await room.dead(*"abcd")
    page = await room.letters.list(ALL, limit=2)
    await room.redrive(execution, DeadLetterFilter(message_id=ids["b"]))
    page = await room.letters.list(ALL, limit=2, after=page.following)
    assert [letter.message.id for letter in page.letters] == [ids["c"], ids["d"]]


async def test_everything_that_is_given_must_hold(room: Mailroom) -> None:
    """Each part of a filter alone, and together."""
    execution, ids = await room.children(*"abcd")
    errors: dict[str, JsonObject] = {
        "a": {"code": "timeout", "adapter_name": "reader", "stage_name": "text"},
        "b": {"code": "timeout", "adapter_name": "writer"},
        "c": {"code": "invalid", "adapter_name": "reader"},
        "d": {"code": ["odd"]},
    }
    for number, (name, error) in enumerate(errors.items()):
        await room.settle(ids[name], error=error, now=NOW + timedelta(seconds=number))
    other, _ = await room.dead("z")
    moment = NOW + timedelta(seconds=2)

    async def found(**fields: object) -> str:
        wanted = DeadLetterFilter(**({"execution_id": execution.id} | fields))  # type: ignore[arg-type]
        by_id = {message_id: name for name, message_id in ids.items()}
        return "".join(by_id[message_id] for message_id in await room.listed(wanted))

    assert await found() == "abcd"
    assert await found(route_id="second") == "abcd"
    assert await found(route_id="first") == ""
    assert await found(adapter_name="reader") == "ac"
    assert await found(stage_name="text") == "a"
    assert await found(error_code="timeout") == "ab"
    assert await found(error_code="timeout", adapter_name="reader") == "a"
    assert await found(dead_after=moment) == "d"
    assert await found(dead_before=moment) == "ab"
    assert await found(message_id=ids["c"]) == "c"
    assert await found(execution_id=other.id, message_id=ids["c"]) == ""
    assert await found(error_code="' OR true --") == ""


async def test_a_redriven_message_waits_as_if_it_were_new(room: Mailroom) -> None:
    """With all its retries; attempts go on counting, and the error stays until it settles anew."""
    execution, ids = await room.children("a", "b")
    await room.settle(ids["a"], Outcome.RETRY)
    dead = await room.settle(ids["a"])
    redriven = await room.redrive(execution)
    assert (redriven.messages, redriven.reopened_from) == (1, None)
    counts = redriven.execution.counts
    assert (redriven.execution.generation, counts.dead, counts.outstanding) == (1, 0, 2)
    assert await room.listed() == []
    waiting = await room.ledgers.messages.waiting(execution.id, "second", limit=9, now=NOW)
    assert ids["a"] in waiting
    claim = await room.claim(ids["a"])
    assert (claim.attempt, claim.retries) == (3, 0)
    (late,) = await room.ledgers.messages.settle([settlement(dead, Outcome.DONE)], now=NOW)
    assert not late.accepted
    await room.ledgers.settled(claim)
    assert (await room.ledgers.seen(execution.id)).counts.done == 2


async def test_a_settlement_whose_answer_was_lost_does_not_undo_a_redrive(room: Mailroom) -> None:
    """It is tried again when the message has been redriven already, and changes nothing."""
    execution, ids = await room.children("a")
    claim = await room.settle(ids["a"])
    await room.redrive(execution)
    (again,) = await room.ledgers.messages.settle([settlement(claim, Outcome.DEAD, error=REASON)], now=NOW)
    assert not again.accepted
    assert (await room.ledgers.seen(execution.id)).counts.outstanding == 1


async def test_a_completed_execution_is_reopened_in_its_next_generation(room: Mailroom) -> None:
    """And completes again when the message is settled."""
    execution, ids = await room.dead("a")
    assert execution.status is ExecutionStatus.COMPLETED
    redriven = await room.redrive(execution)
    assert redriven.reopened_from is ExecutionStatus.COMPLETED
    assert redriven.execution == await room.ledgers.seen(execution.id)
    assert (redriven.execution.status, redriven.execution.generation) == (ExecutionStatus.RUNNING, 2)
    assert redriven.execution.completed_at is None
    await room.settle(ids["a"], Outcome.DONE, now=LATER)
    seen = await room.ledgers.seen(execution.id)
    assert (seen.status, seen.generation, seen.completed_at) == (ExecutionStatus.COMPLETED, 2, LATER)
    assert (seen.counts.done, seen.counts.dead, seen.counts.outstanding) == (2, 0, 0)


async def test_a_failed_init_message_reopens_its_run(room: Mailroom) -> None:
    """The reason of the failure is forgotten with it."""
    execution = await room.ledgers.started()
    await room.settle(init_message_id(execution.id))
    assert (await room.ledgers.seen(execution.id)).error_info == REASON
    redriven = await room.redrive(execution)
    assert redriven.reopened_from is ExecutionStatus.FAILED
    assert (redriven.execution.status, redriven.execution.error_info) == (ExecutionStatus.RUNNING, None)
    await room.settle(init_message_id(execution.id), Outcome.DONE)
    assert (await room.ledgers.seen(execution.id)).status is ExecutionStatus.COMPLETED


async def test_what_a_failure_had_cancelled_comes_back_with_the_run(room: Mailroom) -> None:
    """It was cancelled for no other reason; what is still queued just stays."""
    execution = await room.ledgers.started()
    claim = await room.ledgers.claimed_init(execution)
    born = children(claim, *"abcd")
    await room.ledgers.messages.extend(claim.message.id, claim.token, born, now=NOW)
    held = await room.claim(born[3].id)
    await room.ledgers.settled(claim, Outcome.DEAD, error=REASON)
    assert await room.ledgers.executions.discard_queued(execution.id, limit=2, now=NOW) == 2
    await room.ledgers.settled(held)
    before = await room.ledgers.seen(execution.id)
    assert (before.counts.cancelled, before.counts.outstanding) == (3, 1)
    redriven = await room.redrive(execution)
    counts = redriven.execution.counts
    assert (redriven.messages, counts.outstanding, counts.cancelled, counts.dead) == (1, 5, 0, 0)
    waiting = await room.ledgers.messages.waiting(execution.id, "second", limit=9, now=NOW)
    assert sorted(waiting) == sorted(child.id for child in born)


async def test_what_is_redriven_is_not_discarded_behind_the_run_before(room: Mailroom) -> None:
    """The ending of a run may be slower than a person."""
    execution, _ = await room.dead("a")
    await room.redrive(execution)
    assert await room.ledgers.executions.discard_queued(execution.id, limit=10, now=NOW) == 0
    assert (await room.ledgers.seen(execution.id)).counts.outstanding == 1


async def test_a_cancelled_execution_stays_as_it_is(room: Mailroom) -> None:
    """Its dead letters can be read and purged, not redriven."""
    execution, ids = await room.children("a", "b")
    await room.settle(ids["a"])
    await room.ledgers.executions.conclude(execution.id, ExecutionStatus.CANCELLED, now=NOW)
    before = await room.ledgers.seen(execution.id)
    with pytest.raises(RedriveNotAllowed):
        await room.redrive(execution)
    assert await room.ledgers.seen(execution.id) == before
    assert await room.listed() == [ids["a"]]
    assert await room.letters.executions(ALL, limit=10) == []


async def test_an_unknown_execution_is_an_error(room: Mailroom) -> None:
    """There is one for it."""
    with pytest.raises(ExecutionNotFound):
        await room.letters.redrive(uuid4(), ALL, limit=1, places=None)


async def test_reopening_takes_a_place(room: Mailroom) -> None:
    """Without a place nothing changes."""
    ended, _ = await room.dead("a")
    running, _ = await room.children("b")
    with pytest.raises(TooManyConcurrentExecutions):
        await room.redrive(ended, places=1)
    assert await room.ledgers.seen(ended.id) == ended
    assert len(await room.listed()) == 1
    await room.redrive(ended, places=2)
    assert (await room.ledgers.seen(running.id)).status is ExecutionStatus.RUNNING


async def test_a_running_execution_needs_no_further_place(room: Mailroom) -> None:
    """However few there are."""
    execution, ids = await room.children("a", "b")
    await room.settle(ids["a"])
    assert (await room.redrive(execution, places=0)).messages == 1


async def test_where_nothing_is_dead_nothing_changes(room: Mailroom) -> None:
    """And no place is asked for."""
    execution, _ = await room.dead("a")
    wanted = DeadLetterFilter(error_code="timeout")
    redriven = await room.redrive(execution, wanted, places=0)
    assert redriven == Redriven(messages=0, execution=execution)
    await room.redrive(execution)
    again = await room.redrive(execution)
    assert (again.messages, again.reopened_from, again.execution.generation) == (0, None, 2)


async def test_batches_go_from_the_earliest_to_the_latest(room: Mailroom) -> None:
    """And leave other executions alone."""
    execution, ids = await room.dead(*"abcde")
    other, others = await room.dead("z")
    for expected, left in ((2, "cde"), (2, "e"), (1, ""), (0, "")):
        redriven = await room.redrive(execution, limit=2)
        assert redriven.messages == expected
        listed = await room.listed(DeadLetterFilter(execution_id=execution.id))
        assert listed == [ids[name] for name in left]
    assert await room.listed() == [others["z"]]
    assert (await room.ledgers.seen(other.id)).status is ExecutionStatus.COMPLETED


async def test_of_two_who_redrive_the_same_message_one_does(room: Mailroom) -> None:
    """The other changes nothing; the execution is reopened once."""
    execution, ids = await room.dead("a")
    wanted = DeadLetterFilter(message_id=ids["a"])
    both = await asyncio.gather(*(room.redrive(execution, wanted) for _ in range(2)))
    assert sorted(one.messages for one in both) == [0, 1]
    seen = await room.ledgers.seen(execution.id)
    assert (seen.generation, seen.counts.outstanding, seen.counts.dead) == (2, 1, 0)


async def test_executions_with_dead_letters_come_in_pages(room: Mailroom) -> None:
    """By id, each once."""
    ids = sorted([(await room.dead("a", "b"))[0].id for _ in range(3)])
    await room.children("c")
    assert await room.letters.executions(ALL, limit=2) == ids[:2]
    assert await room.letters.executions(ALL, limit=2, after=ids[1]) == ids[2:]
    assert await room.letters.executions(DeadLetterFilter(error_code="timeout"), limit=2) == []


async def test_a_purged_letter_is_dead_for_good(room: Mailroom) -> None:
    """Its payload is gone, its count stays, it is neither listed nor redriven, and purging again changes nothing."""
    execution, ids = await room.dead(*"abc")
    wanted = DeadLetterFilter(message_id=ids["b"])
    purged = [await room.letters.purge(wanted, limit=10, now=LATER) for _ in range(2)]
    assert (purged, await room.letters.unerased(limit=10)) == ([1, 0], [])
    assert await room.listed() == [ids["a"], ids["c"]]
    letter = await room.letters.get(ids["b"])
    assert (letter.message.payload, letter.message.metadata, letter.error) == ({}, {}, {})
    assert (letter.purged_at, letter.dead_at) == (LATER, NOW + timedelta(seconds=1))
    assert await room.ledgers.seen(execution.id) == execution
    redriven = await room.redrive(execution)
    assert (redriven.messages, redriven.execution.counts.dead) == (2, 1)


async def test_purging_goes_in_batches(room: Mailroom) -> None:
    """The earliest first."""
    _, ids = await room.dead(*"abcde")
    counts = [await room.letters.purge(ALL, limit=2, now=LATER)]
    assert await room.listed() == [ids[name] for name in "cde"]
    counts += [await room.letters.purge(ALL, limit=2, now=LATER) for _ in range(3)]
    assert counts == [2, 2, 1, 0]
    assert await room.letters.executions(ALL, limit=10) == []


async def test_payloads_in_storage_of_purged_letters_are_remembered_until_they_are_erased(
    room: Mailroom,
) -> None:
    """Each once; those of letters that are not purged are not among them."""
    execution = await room.ledgers.started()
    claim = await room.ledgers.claimed_init(execution)
    large = [
        replace(child, payload={REFERENCE: {"hash": child.payload["name"], "size": 70_000}})
        for child in children(claim, *"abc")
    ]
    await room.ledgers.settled(claim, children=large)
    for child in large:
        await room.settle(child.id)
    for child in large[:2]:
        assert await room.letters.purge(DeadLetterFilter(message_id=child.id), limit=10, now=LATER) == 1
    keys = [payload_key(execution.id, child.id, name) for child, name in zip(large[:2], "ab", strict=True)]
    assert sorted(await room.letters.unerased(limit=10)) == sorted(keys)
    assert len(await room.letters.unerased(limit=1)) == 1
    assert await room.letters.unerased(limit=10, erased=[keys[0], "unknown"]) == keys[1:]
    assert await room.letters.unerased(limit=10) == keys[1:]
