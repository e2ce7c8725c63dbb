"""Stops work, also work that will not be stopped."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Collection

log = logging.getLogger(__name__)

PATIENCE_SECONDS = 3.0
KNOCKS = 6


async def stopped(
    tasks: Collection[asyncio.Task[None]], what: str, *, patience_seconds: float = PATIENCE_SECONDS
) -> int:
    """Cancel tasks and wait for their end; returns how many were given up.

    One that swallows its cancellation is cancelled again and again until patience ends; then it is left to itself, and
    whatever it does later finds that its claim no longer holds. That is not only for pipeline adapters of others: before
    Python 3.12 ``asyncio.wait_for``, by which the driver of the database waits for a connection, may swallow one too.
    """
    left = set(tasks)
    for _ in range(KNOCKS):
        if not left:
            return 0
        for task in left:
            task.cancel()
        _, left = await asyncio.wait(left, timeout=patience_seconds / KNOCKS)
    if left:
        log.warning(
            "%d tasks of %s swallow their cancellation and are left to themselves: "
            "a pipeline adapter must let asyncio.CancelledError pass",
            len(left),
            what,
        )
    return len(left)
