"""What a claim takes: with little and with much pending, and from the beginning to the end of much."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import TypeAlias

from application.ports.webhook_queue import ClaimedDelivery, Recorded, Room
from benchmarks.webhook_stack import CLOCK, IDS, WebhookStack
from domain.webhooks.delivery import Answer, Attempt
from domain.webhooks.schedule import RetrySchedule
from domain.webhooks.subscription import Subscription

Claims: TypeAlias = Mapping[str, Sequence[float]]
ENDPOINTS = 100
FEW, MANY = 1_000, 100_000
READINGS = 9
FILLINGS = 3
AT_ONCE = 500
LEASE = timedelta(minutes=2)


async def milliseconds(stack: WebhookStack) -> Claims:
    """Readings, each of one claim: of one delivery for each of a hundred endpoints, and of five hundred for one."""
    few: list[float] = []
    many: list[float] = []
    # In turn, since the first claims of a young connection are slower than all that follow.
    for _ in range(FILLINGS):
        few += await _side_by_side(stack, FEW)
        many += await _side_by_side(stack, MANY)
    whole = await _one_by_one(stack, MANY)
    part = len(whole) // 10
    return {
        f"claim with {FEW:,} pending": few,
        f"claim with {MANY:,} pending": many,
        f"claim, first tenth of {MANY:,}": whole[:part],
        f"claim, last tenth of {MANY:,}": whole[-part:],
    }


async def _side_by_side(stack: WebhookStack, pending: int) -> Sequence[float]:
    await stack.emptied()
    subscriptions = [await stack.subscribed(f"http://127.0.0.1/{number}") for number in range(ENDPOINTS)]
    for subscription in subscriptions:
        await stack.pending(subscription, pending // ENDPOINTS, "x")
    rooms = [Room(subscription_id=one.id, most=1) for one in subscriptions]
    readings = [await _claim(stack, rooms) for _ in range(READINGS + 1)]
    return [took for took, _ in readings[1:]]


async def _one_by_one(stack: WebhookStack, pending: int) -> Sequence[float]:
    """Claimed and delivered five hundred at a time, until nothing is left."""
    await stack.emptied()
    subscription: Subscription = await stack.subscribed("http://127.0.0.1/")
    await stack.pending(subscription, pending, "x")
    rooms = [Room(subscription_id=subscription.id, most=AT_ONCE)]
    readings: list[float] = []
    while True:
        took, claims = await _claim(stack, rooms)
        if not claims:
            return readings
        readings.append(took)
        await stack.queue.record([_delivered(claim) for claim in claims])


async def _claim(stack: WebhookStack, rooms: Sequence[Room]) -> tuple[float, Sequence[ClaimedDelivery]]:
    now, began = CLOCK.now(), time.perf_counter()
    claims = await stack.queue.claim(rooms, token=IDS.new_id(), now=now, until=now + LEASE)
    return 1000 * (time.perf_counter() - began), claims


def _delivered(claim: ClaimedDelivery) -> Recorded:
    now, answer = CLOCK.now(), Answer(status=200)
    attempt = Attempt(
        delivery_id=claim.delivery.id,
        number=claim.delivery.attempts,
        started_at=now,
        duration_ms=1.0,
        request_headers={},
        answer=answer,
    )
    delivery = claim.delivery.attempted(answer, at=now, schedule=RetrySchedule(), randomness=0.0)
    return Recorded(delivery=delivery, token=claim.token, attempt=attempt)
