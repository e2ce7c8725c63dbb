"""Copies of dead letters, under the name that a pipeline gives for them."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from uuid import uuid4

import pytest

from adapters.memory.message_queue import InProcessMessageQueue
from application.engine.dead_letter_copies import DeadLetterCopies
from domain.errors import Unavailable
from domain.json import JsonObject
from domain.message import Claim, Message, Outcome, Settlement
from domain.pipeline import ErrorHandling
from tests.unit.engines import bench, route

NAMED = replace(route("only", "act"), error_handling=ErrorHandling(dead_letter_queue="/queue/dlq"))


class Broken(InProcessMessageQueue):
    """Cannot broadcast."""

    async def broadcast(self, topic: str, payload: JsonObject) -> None:
        raise Unavailable(f"no {topic}")


def settled(outcome: Outcome) -> tuple[Claim, Settlement]:
    """A claim and its settlement."""
    message = Message(id=uuid4(), execution_id=uuid4(), route_id="only", payload={"n": 1})
    claim = Claim(message=message, token=uuid4(), attempt=3)
    error = {"code": "invalid"} if outcome is Outcome.DEAD else None
    settlement = Settlement(
        message_id=message.id,
        execution_id=message.execution_id,
        token=claim.token,
        outcome=outcome,
        error=error,
    )
    return claim, settlement


async def test_a_copy_tells_the_message_and_why_it_is_dead() -> None:
    """To whoever listens under that name; of dead messages alone."""
    async with bench({}) as on, on.engine.ports.queue.listen("/queue/dlq") as stream:
        copies = DeadLetterCopies(ports=on.engine.ports, route=NAMED)
        claim, done = settled(Outcome.DONE)
        copies.after(claim, done)
        claim, dead = settled(Outcome.DEAD)
        copies.after(claim, dead)
        copy = await asyncio.wait_for(anext(stream), 2)
    assert copy["dead_at"]
    assert {name: copy[name] for name in ("message_id", "payload", "error", "attempts")} == {
        "message_id": str(claim.message.id),
        "payload": {"n": 1},
        "error": {"code": "invalid"},
        "attempts": 3,
    }


async def test_a_copy_that_cannot_be_sent_fails_nothing(caplog: pytest.LogCaptureFixture) -> None:
    """The log tells of it."""
    async with bench({}) as on:
        ports = replace(on.engine.ports, queue=Broken())
        DeadLetterCopies(ports=ports, route=NAMED).after(*settled(Outcome.DEAD))
        await asyncio.sleep(0.01)
    assert "no copy of dead letter" in caplog.text


async def test_a_route_without_a_name_for_them_sends_none() -> None:
    """Nobody could listen."""
    async with bench({}) as on:
        copies = DeadLetterCopies(ports=on.engine.ports, route=route("only", "act"))
        copies.after(*settled(Outcome.DEAD))
        assert not copies._sending
