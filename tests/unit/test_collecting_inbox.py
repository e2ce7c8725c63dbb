"""The window of a route that collects."""

from __future__ import annotations

import asyncio
from uuid import UUID

from adapters.system.clock import SystemClock
from application.engine.collecting_inbox import CollectingInbox
from application.engine.inbox import WINDOW, Work
from domain.claim_check import REFERENCE
from domain.grouping import Groups
from domain.message import Claim, Message
from tests.unit.collecting import grouping


def kept_elsewhere(number: int) -> Work:
    """A message whose payload is in storage, so that it must be seen first where it belongs."""
    message = Message(
        id=UUID(int=number), execution_id=UUID(int=0), route_id="b", payload={REFERENCE: {"size": 1}}
    )
    return Work(claim=Claim(message=message, token=UUID(int=1), attempt=1))


async def test_who_waits_for_room_has_it_when_messages_have_found_their_groups() -> None:
    """Though nothing is settled, and may not be for long."""
    inbox = CollectingInbox(
        groups=Groups(grouping=grouping(key="of", max_messages=5000)), clock=SystemClock()
    )
    works = [kept_elsewhere(number) for number in range(WINDOW)]
    for work in works:
        inbox.put(work)
    waiting = asyncio.ensure_future(inbox.wait_for_room(1))
    await asyncio.sleep(0)
    assert not waiting.done()
    while (begun := inbox.next()) is not None:
        inbox.gathered(begun)
        inbox.sort(begun, {"of": "x"})
    async with asyncio.timeout(5):
        await waiting
    assert (len(inbox.held), inbox.in_window) == (WINDOW, 0)
