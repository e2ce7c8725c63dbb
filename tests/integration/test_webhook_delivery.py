"""Deliveries from the database to a receiver, each in a process of its own."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from uuid import UUID

import pytest
from standardwebhooks.webhooks import Webhook

from adapters.http_client.webhook_sender import HttpWebhookSender
from adapters.memory.event_bus import InProcessEventBus
from adapters.postgres.database import Database
from adapters.system.clock import SystemClock
from adapters.system.id_source import SystemIdSource
from application.webhooks.attempting import Attempting
from application.webhooks.care import EndpointCare
from application.webhooks.delivery_worker import DeliveryWorker
from domain.webhooks.delivery import Delivery, DeliveryFilter, DeliveryState
from domain.webhooks.outcome import Failure
from domain.webhooks.secret import Secret
from domain.webhooks.subscription import Subscription
from tests.contracts.webhooks import KEYS, Desk, an_event, memory_desk, postgres_desk
from tests.databases import fresh_database
from tests.integration.webhook_worker_process import LOOPBACK
from tests.webhook_receiver import RunningReceiver, running_receiver

SECRET = "whsec_" + "c2VjcmV0" * 6
PROGRAM = Path(__file__).with_name("webhook_worker_process.py")
PENDING, DELIVERED, DEAD = DeliveryState.PENDING, DeliveryState.DELIVERED, DeliveryState.DEAD


@pytest.fixture(scope="module")
def receiver() -> Iterator[RunningReceiver]:
    with running_receiver() as running:
        yield running


@pytest.fixture
async def database(postgres_url: str) -> AsyncIterator[Database]:
    async with fresh_database(postgres_url) as database:
        yield database


@contextmanager
def working(database: Database, *, dies: bool = False) -> Iterator[subprocess.Popen[bytes]]:
    """A worker process, killed at the end."""
    options = json.dumps({"database_url": database.url, "key": KEYS[0], "dies": dies})
    with subprocess.Popen([sys.executable, str(PROGRAM), options], stdin=subprocess.PIPE) as process:
        try:
            yield process
        finally:
            process.kill()


async def settled(desk: Desk, count: int) -> Sequence[Delivery]:
    """All deliveries, once so many are not pending any more."""
    for _ in range(1200):
        page = await desk.deliveries.list(DeliveryFilter(), limit=1000)
        if sum(one.state is not PENDING for one in page.deliveries) >= count:
            return page.deliveries
        await asyncio.sleep(0.025)
    raise AssertionError(f"{count} deliveries do not settle")


async def tried(desk: Desk) -> Sequence[Delivery]:
    """All deliveries, once each has been tried."""
    for _ in range(400):
        page = await desk.deliveries.list(DeliveryFilter(), limit=100)
        if all(one.last_attempt_at for one in page.deliveries):
            return page.deliveries
        await asyncio.sleep(0.025)
    raise AssertionError("not all deliveries are tried")


async def subscribed(desk: Desk, url: str) -> Subscription:
    """An endpoint at an address."""
    return await desk.subscribed(url=url, secrets=(Secret(text=SECRET),), headers={}, timeout_seconds=1.0)


@pytest.mark.slow
async def test_what_was_sent_and_not_recorded_is_sent_again(
    database: Database, receiver: RunningReceiver
) -> None:
    """After a kill in between: at least once, under the same id, and nothing is lost."""
    desk = postgres_desk(database)
    await subscribed(desk, receiver.url("200"))
    before = len(receiver.received())
    made = [str((await desk.deliveries.publish(an_event()))[0]) for _ in range(30)]
    with working(database, dies=True) as process:
        assert await asyncio.to_thread(process.wait, 60) == -9
    sent_before_death = len(receiver.received()) - before
    assert sent_before_death >= 1
    with working(database):
        deliveries = await settled(desk, 30)
    got = Counter(one["headers"]["webhook-id"] for one in receiver.received()[before:])
    assert set(got) == set(made)
    assert 30 < got.total() <= 30 + sent_before_death
    assert {one.state for one in deliveries} == {DELIVERED}
    # What it held counts as taken up twice, and as failed never.
    assert {one.failures for one in deliveries} == {0}
    assert max(one.attempts for one in deliveries) == 2


@pytest.mark.slow
async def test_several_workers_deliver_together_without_doubling(
    database: Database, receiver: RunningReceiver
) -> None:
    """And what arrives verifies."""
    desk = postgres_desk(database)
    for _ in range(3):
        await subscribed(desk, receiver.url("204"))
    before = len(receiver.received())
    with working(database), working(database):
        for _ in range(50):
            await desk.deliveries.publish(an_event())
        await settled(desk, 150)
    received = receiver.received()[before:]
    assert Counter(Counter(one["headers"]["webhook-id"] for one in received).values()) == {1: 150}
    for one in received:
        Webhook(SECRET).verify(one["body"], one["headers"])


async def test_each_answer_of_a_real_receiver_has_its_outcome(receiver: RunningReceiver) -> None:
    """The table of docs/how-to/receive-webhooks.md."""
    desk = memory_desk()
    paths = (
        "200", "204", "redirect", "400", "404", "408", "410", "later/7200", "500", "503", "hang", "close", "big",
        "nonsense",
    )  # fmt: skip
    of: dict[UUID, str] = {(await subscribed(desk, receiver.url(path))).id: path for path in paths}
    before = len(receiver.received())
    clock, ids = SystemClock(), SystemIdSource()
    await desk.deliveries.publish(an_event())
    async with HttpWebhookSender(LOOPBACK) as sender:
        worker = DeliveryWorker(
            queue=desk.queue,
            subscriptions=desk.subscriptions,
            attempting=Attempting(sender=sender, clock=clock, ids=ids),
            care=EndpointCare(subscriptions=desk.subscriptions, clock=clock, ids=ids),
            events=InProcessEventBus(),
        )
        async with worker:
            deliveries = await tried(desk)
    told = {of[one.subscription_id]: one for one in deliveries}
    assert {path: (one.state, one.last_status or one.last_failure) for path, one in told.items()} == {
        "200": (DELIVERED, 200),
        "204": (DELIVERED, 204),
        "big": (DELIVERED, 200),
        "redirect": (DEAD, 301),
        "400": (DEAD, 400),
        "404": (DEAD, 404),
        "410": (DEAD, 410),
        "408": (PENDING, 408),
        "later/7200": (PENDING, 429),
        "500": (PENDING, 500),
        "503": (PENDING, 503),
        "hang": (PENDING, Failure.TIMEOUT),
        "close": (PENDING, Failure.CLOSED_EARLY),
        "nonsense": (PENDING, Failure.PROTOCOL),
    }
    waits = {
        path: (one.due_at - one.last_attempt_at).total_seconds()
        for path, one in told.items()
        if one.due_at and one.last_attempt_at
    }
    assert 60 <= waits["500"] <= 66
    assert waits["later/7200"] == 7200
    assert [of[one] for one in of if one not in await desk.subscriptions.versions()] == ["410"]
    assert len(receiver.received()) - before == len(paths)
