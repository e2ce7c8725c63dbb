"""What the ledger does with a message that no message of its execution has emitted."""

from __future__ import annotations

from dataclasses import replace
from uuid import UUID, uuid4

import pytest

from domain.broadcast import Broadcast
from domain.execution import ExecutionStatus
from domain.json import Json
from domain.message import Message, Outcome, PayloadRejected
from tests.contracts.ledgers import NOW, Ledgers, ledgers

__all__ = ["ledgers"]


def heard(execution_id: UUID, route: str = "second", **payload: Json) -> Message:
    """A message that came from a topic."""
    said = Broadcast(id=uuid4(), topic="/topic/t", payload=payload, execution_id=uuid4(), message_id=uuid4())
    return said.message_for(execution_id, route)


async def test_a_message_that_is_admitted_counts_and_holds_up_the_end(ledgers: Ledgers) -> None:
    """The execution ends with the last of its messages, wherever they came from."""
    execution = await ledgers.started()
    message = heard(execution.id, text="hello")
    assert await ledgers.messages.admit(message, now=NOW)
    assert (await ledgers.seen(execution.id)).counts.outstanding == 2
    settled = await ledgers.settled(await ledgers.claimed_init(execution))
    assert settled.finished is None
    (claim,) = await ledgers.claimed(message.id)
    assert claim.message.payload == {"text": "hello"}
    settled = await ledgers.settled(claim)
    assert settled.finished is ExecutionStatus.COMPLETED
    assert (await ledgers.seen(execution.id)).counts.done == 2


async def test_admitting_twice_is_admitting_once(ledgers: Ledgers) -> None:
    """Also from two processes, and after it has been settled."""
    execution = await ledgers.started()
    message = heard(execution.id)
    assert await ledgers.messages.admit(message, now=NOW)
    assert await ledgers.messages.admit(message, now=NOW)
    assert (await ledgers.seen(execution.id)).counts.outstanding == 2
    (claim,) = await ledgers.claimed(message.id)
    await ledgers.settled(claim)
    assert await ledgers.messages.admit(message, now=NOW)
    assert (await ledgers.seen(execution.id)).counts.outstanding == 1


async def test_an_execution_that_does_not_run_admits_nothing(ledgers: Ledgers) -> None:
    """Neither one that has ended nor one that is interrupted, nor one that never was."""
    execution = await ledgers.started()
    message = heard(execution.id)
    await ledgers.executions.conclude(execution.id, ExecutionStatus.INTERRUPTED, now=NOW)
    assert not await ledgers.messages.admit(message, now=NOW)
    await ledgers.executions.conclude(execution.id, ExecutionStatus.CANCELLED, now=NOW)
    assert not await ledgers.messages.admit(message, now=NOW)
    assert not await ledgers.messages.admit(heard(uuid4()), now=NOW)
    assert (await ledgers.seen(execution.id)).counts.outstanding == 1
    assert await ledgers.messages.waiting(execution.id, "second", limit=9, now=NOW) == []


async def test_the_death_of_an_admitted_message_fails_no_execution(ledgers: Ledgers) -> None:
    """It is no init message."""
    execution = await ledgers.started()
    message = heard(execution.id)
    await ledgers.messages.admit(message, now=NOW)
    (claim,) = await ledgers.claimed(message.id)
    await ledgers.settled(claim, Outcome.DEAD, error={"code": "x", "message": "y"})
    seen = await ledgers.seen(execution.id)
    assert (seen.status, seen.counts.dead) == (ExecutionStatus.RUNNING, 1)


async def test_what_cannot_be_stored_is_not_admitted(ledgers: Ledgers) -> None:
    """And counts nowhere."""
    execution = await ledgers.started()
    message = replace(heard(execution.id), payload={"text": "a\0b"})
    with pytest.raises(PayloadRejected):
        await ledgers.messages.admit(message, now=NOW)
    assert (await ledgers.seen(execution.id)).counts.outstanding == 1
