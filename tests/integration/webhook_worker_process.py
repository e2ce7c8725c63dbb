"""A delivery worker in a process of its own, to be killed: `webhook_worker_process.py OPTIONS`, as JSON.

Options: ``database_url``, ``key``, and ``dies`` whether it kills itself between the first answer and its record.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from uuid import UUID

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from adapters.http_client.webhook_sender import HttpWebhookSender
from adapters.memory.event_bus import InProcessEventBus
from adapters.postgres.database import Database
from adapters.postgres.webhook_queue import PostgresWebhookQueue
from adapters.postgres.webhook_subscriptions import PostgresWebhookSubscriptions
from adapters.sealing.aes_gcm import AesGcmSealer
from adapters.system.clock import SystemClock
from adapters.system.id_source import SystemIdSource
from application.ports.webhook_queue import ClaimedDelivery, Recorded, Room, Standing, WebhookQueue
from application.webhooks.attempting import Attempting
from application.webhooks.care import EndpointCare
from application.webhooks.delivery_worker import DeliveryWorker, WorkerSettings
from domain.outbound import OutboundPolicy, networks

LOOPBACK = OutboundPolicy(allowed_networks=networks("127.0.0.0/8"), is_http_allowed=True)


class DyingQueue:
    """A queue whose process is gone before it can record anything."""

    def __init__(self, queue: WebhookQueue) -> None:
        self._queue = queue

    async def claim(
        self, rooms: Sequence[Room], *, token: UUID, now: datetime, until: datetime
    ) -> Sequence[ClaimedDelivery]:
        return await self._queue.claim(rooms, token=token, now=now, until=until)

    async def release(self, claims: Sequence[ClaimedDelivery], *, now: datetime) -> None:
        await self._queue.release(claims, now=now)

    async def record(self, recorded: Sequence[Recorded]) -> Sequence[Standing]:
        os.kill(os.getpid(), signal.SIGKILL)
        return await self._queue.record(recorded)


async def _main(database_url: str, key: str, *, dies: bool = False) -> None:
    clock, ids = SystemClock(), SystemIdSource()
    async with Database(database_url) as database, HttpWebhookSender(LOOPBACK) as sender:
        subscriptions = PostgresWebhookSubscriptions(database, AesGcmSealer(lambda: [key]))
        queue = PostgresWebhookQueue(database)
        worker = DeliveryWorker(
            queue=DyingQueue(queue) if dies else queue,
            subscriptions=subscriptions,
            attempting=Attempting(sender=sender, clock=clock, ids=ids),
            care=EndpointCare(subscriptions=subscriptions, clock=clock, ids=ids),
            events=InProcessEventBus(),
            settings=WorkerSettings(poll_seconds=0.05, lease_seconds=1.0),
        )
        async with worker:
            await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)


if __name__ == "__main__":
    asyncio.run(_main(**json.loads(sys.argv[1])))
