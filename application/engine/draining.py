"""Lets a process that is stopping come to its end without a message left in its hands."""

from __future__ import annotations

import asyncio
import logging

from application.engine.engine import LONGEST_CLOSING_SECONDS, Engine
from application.engine.route_gate import DRAINING

log = logging.getLogger(__name__)

LOOK_SECONDS = 0.02


def take_no_more(engine: Engine) -> None:
    """Close every gate, for good: what waits goes back to the queue, and what is at work goes on."""
    engine.is_draining = True
    for gate in engine.gates:
        gate.pause(DRAINING)


async def drain(engine: Engine, seconds: float, hurried: asyncio.Event | None = None) -> None:
    """Take no more, let what is at work come to its end for so long at most, and hand the rest to the others.

    ``hurried`` cuts it short.
    Called once, before the lease is given up; without it the others would count a crash for each message.
    """
    take_no_more(engine)
    try:
        async with asyncio.timeout(seconds):
            await _until_done(engine, hurried or asyncio.Event())
    except TimeoutError:
        log.warning(
            "%d messages are still at work after %g seconds and are handed back",
            engine.quarantine.at_work,
            seconds,
        )
    try:
        async with asyncio.timeout(LONGEST_CLOSING_SECONDS):
            await engine.leave_all()
    except TimeoutError:
        log.warning("%d executions could not be handed back in time", len(engine.running))


async def _until_done(engine: Engine, hurried: asyncio.Event) -> None:
    # Looked at, because nobody tells of the last step of the last message; it happens once in the life of a process.
    while (engine.quarantine.at_work or not engine.is_followed_up) and not hurried.is_set():
        await engine.ports.clock.sleep(LOOK_SECONDS)
