"""FastStream over the same three quorum queues, with neither a ledger nor lineage.

Run by the peers' Python, without anything of ours: `faststream_peer.py URL MESSAGES BYTES`. Prints one JSON object.
"""

# What it imports is installed where it runs.
# mypy: disable-error-code="import-not-found"

from __future__ import annotations

import asyncio
import json
import sys
import time
from importlib.metadata import version
from itertools import pairwise
from typing import Any
from uuid import uuid4

from faststream.rabbit import Channel, QueueType, RabbitBroker, RabbitQueue

STAGES = 3
IN_FLIGHT = 200


async def main() -> None:
    url, messages, size = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    broker = RabbitBroker(url, default_channel=Channel(prefetch_count=IN_FLIGHT), logger=None)
    queues = [
        RabbitQueue(f"faststream-{uuid4().hex}", durable=True, queue_type=QueueType.QUORUM)
        for _ in range(STAGES)
    ]
    finished, left = asyncio.Event(), messages

    async def pass_on(message: dict[str, Any]) -> dict[str, Any]:
        return message

    async def arrive(_: dict[str, Any]) -> None:
        nonlocal left
        left -= 1
        if not left:
            finished.set()

    for queue, onward in pairwise(queues):
        broker.subscriber(queue)(broker.publisher(onward, persist=True)(_anew(pass_on)))
    broker.subscriber(queues[-1])(arrive)
    await broker.start()
    started = time.perf_counter()
    turns = asyncio.Semaphore(IN_FLIGHT)

    async def send(number: int) -> None:
        async with turns:
            digits = f"{number:010}"
            text = "x" * (size - len('{"number":"","text":""}') - len(digits))
            await broker.publish({"number": digits, "text": text}, queue=queues[0], persist=True)

    await asyncio.gather(*(send(number) for number in range(messages)))
    await finished.wait()
    seconds = time.perf_counter() - started
    for queue in queues:
        await (await broker.declare_queue(queue)).delete(if_unused=False, if_empty=False)
    await broker.stop()
    print(json.dumps({"seconds": seconds, "version": version("faststream")}))


def _anew(handler: Any) -> Any:
    """A function of its own for each queue: the same one may be subscribed only once."""

    async def handle(message: dict[str, Any]) -> dict[str, Any]:
        answer: dict[str, Any] = await handler(message)
        return answer

    return handle


asyncio.run(main())
