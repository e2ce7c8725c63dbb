"""Waits out the outages of our own parts."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from domain.errors import Unavailable

Answer = TypeVar("Answer")

FIRST_PAUSE_SECONDS = 0.05
LONGEST_PAUSE_SECONDS = 5.0


async def until_available(
    operation: Callable[[], Awaitable[Answer]], sleep: Callable[[float], Awaitable[None]]
) -> Answer:
    """The answer of an operation that may be repeated, asked for again with growing pauses while it is Unavailable."""
    pause = FIRST_PAUSE_SECONDS
    while True:
        try:
            return await operation()
        except Unavailable:
            await sleep(pause)
            pause = min(pause * 2, LONGEST_PAUSE_SECONDS)


async def available_within(
    seconds: float, operation: Callable[[], Awaitable[Answer]], sleep: Callable[[float], Awaitable[None]]
) -> Answer:
    """The same, but Unavailable when it takes longer than that; the outcome of the operation is then unknown."""
    try:
        async with asyncio.timeout(seconds):
            return await until_available(operation, sleep)
    except TimeoutError as error:
        raise Unavailable(f"the ledger did not answer within {seconds:g} seconds") from error
