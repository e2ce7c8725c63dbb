"""A consumer for a test to kill: takes three deliveries, acknowledges the first, says which, and holds the others."""

import asyncio
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))


async def hold(url: str, name: str) -> None:
    from adapters.rabbitmq.message_queue import RabbitMessageQueue

    async with (
        RabbitMessageQueue([url]) as queue,
        queue.subscribe(name, prefetch=3) as subscription,
    ):
        deliveries = [await subscription.receive() for _ in range(3)]
        await deliveries[0].acknowledge()
        # The next one comes when the broker has heard of the acknowledgement.
        deliveries.append(await subscription.receive())
        print(deliveries[0].envelope.message_id, flush=True)  # noqa: T201 - the test reads it
        await asyncio.Event().wait()


asyncio.run(hold(*sys.argv[1:3]))
