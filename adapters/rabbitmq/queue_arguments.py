"""With which arguments queues are declared: the same ones by every process, or the broker refuses."""

from __future__ import annotations

from typing import Literal, TypeAlias

from pamqp.common import FieldTable

QueueType: TypeAlias = Literal["classic", "quorum"]

UNUSED_DAYS = 7
UNUSED_MILLISECONDS = UNUSED_DAYS * 24 * 3600 * 1000
"""A queue that nobody consumes for so long goes away: that of a run whose server died just before it would delete it."""

NO_DELIVERY_LIMIT = 2**31 - 1
"""Since 4.0 a quorum queue drops what was delivered 20 times; it is the ledger that counts attempts."""


def queue_arguments(queue_type: QueueType) -> FieldTable:
    """The arguments of a queue of envelopes."""
    arguments: FieldTable = {"x-queue-type": queue_type, "x-expires": UNUSED_MILLISECONDS}
    if queue_type == "quorum":
        arguments["x-delivery-limit"] = NO_DELIVERY_LIMIT
    return arguments


def listener_arguments(capacity: int) -> FieldTable:
    """The arguments of a listener's own queue, which loses the oldest when it is full."""
    return {"x-max-length": capacity, "x-overflow": "drop-head"}
