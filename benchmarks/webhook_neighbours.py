"""What one hanging and one failing endpoint cost the other 98: the time from an event to the first attempt."""

from __future__ import annotations

import asyncio
import time

from benchmarks.webhook_stack import WebhookStack

HEALTHY, DISTURBED = "100 healthy endpoints", "98 beside a hanging and a failing one"
ENDPOINTS = 100
EVENTS_A_SECOND = 5
SECONDS = 8.0

_P99 = """
    SELECT 1000 * percentile_disc(0.99) WITHIN GROUP (ORDER BY extract(epoch FROM a.started_at - d.occurred_at))
    FROM webhook_delivery d JOIN webhook_attempt a ON a.delivery_id = d.id AND a.number = 1
    JOIN webhook_subscription s ON s.id = d.subscription_id
    WHERE s.url LIKE '%%/ok/%%'
"""

_UNTRIED = """
    SELECT count(*) FROM webhook_delivery d JOIN webhook_subscription s ON s.id = d.subscription_id
    WHERE s.url LIKE '%%/ok/%%' AND d.last_attempt_at IS NULL
"""


async def p99(stack: WebhookStack, url: str, side: str) -> float:
    """Milliseconds from an event to the first attempt at one of the 98, of events at a steady rate that waits for nothing."""
    await stack.emptied()
    for number in range(ENDPOINTS):
        path = {0: "hang", 1: "500"}.get(number) if side == DISTURBED else None
        # In the undisturbed run these two are healthy, but they are not among those measured.
        path = path or ("ok" if number > 1 else "fine")
        await stack.subscribed(f"{url}/{path}/{number}")
    async with stack.worker():
        await asyncio.sleep(1.5)  # until it knows of all endpoints
        began = time.perf_counter()
        for number in range(int(EVENTS_A_SECOND * SECONDS)):
            await asyncio.sleep(max(0.0, began + number / EVENTS_A_SECOND - time.perf_counter()))
            await stack.happened("x" * 500)
        while await stack.number(_UNTRIED):  # noqa: ASYNC110 (the database is where it shows)
            await asyncio.sleep(0.05)
    return await stack.number(_P99)
