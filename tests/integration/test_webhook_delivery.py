"""Deliveries from the database to a receiver, each in a process of its own."""

from __future__ import annotations

import asyncio
import json
import re
import subprocess
import sys
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from multidict import CIMultiDict
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from adapters.http_client.webhook_sender import HttpWebhookSender
from adapters.memory.event_bus import InProcessEventBus
from adapters.postgres.database import Database
from adapters.system.clock import SystemClock
from adapters.system.id_source import SystemIdSource
from application.webhooks.attempting import Attempting
from application.webhooks.care import EndpointCare
from application.webhooks.delivery_worker import DeliveryWorker
from application.webhooks.subscriptions import Subscriptions
from domain.webhooks.delivery import Delivery, DeliveryFilter, DeliveryState
from domain.webhooks.outcome import Failure
from domain.webhooks.secret import Secret
from domain.webhooks.subscription import Subscription
from tests.contracts.webhooks import KEYS, Desk, an_event, memory_desk, postgres_desk
from tests.databases import fresh_database
from tests.integration.webhook_worker_process import LOOPBACK
from tests.webhook_receiver import RunningReceiver, running_receiver

SECRET = "whsec_" + "c2VjcmV0" * 6
DOCS = Path(__file__).resolve().parents[2] / "docs/how-to/receive-webhooks.md"
SETTLER = Path(__file__).with_name("settling_process.py")
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


async def test_what_the_docs_say_verifies_what_arrives_during_a_rotation(receiver: RunningReceiver) -> None:
    """The very lines of docs/how-to/receive-webhooks.md, for a receiver that has changed over and for one that has not."""
    standard, documented = re.findall(r"```python\n(.*?)```", DOCS.read_text(encoding="utf-8"), re.DOTALL)
    desk, clock, ids = memory_desk(), SystemClock(), SystemIdSource()
    async with HttpWebhookSender(LOOPBACK) as sender:
        worker = DeliveryWorker(
            queue=desk.queue,
            subscriptions=desk.subscriptions,
            attempting=Attempting(sender=sender, clock=clock, ids=ids),
            care=EndpointCare(subscriptions=desk.subscriptions, clock=clock, ids=ids),
            events=InProcessEventBus(),
        )
        use_case = Subscriptions(subscriptions=desk.subscriptions, sender=sender, clock=clock, ids=ids)
        made = await use_case.create(url=receiver.url("200/rotated"), event_types=["execution.completed"])
        rotated = await use_case.rotate(made.id, keep_seconds=3600)
        await desk.deliveries.publish(an_event())
        async with worker:
            await settled(desk, 1)
        dropped = await use_case.rotate(made.id, keep_seconds=0)
        await desk.deliveries.publish(an_event())
        async with worker:
            await settled(desk, 2)
    during, after = (one for one in receiver.received() if one["path"].endswith("rotated"))
    old, new, last = (one.secrets[0].text for one in (made, rotated, dropped))

    def verified(code: str, secret: str, one: dict[str, Any]) -> Any:
        names = {"secret": secret, "body": one["body"], "headers": CIMultiDict(one["headers"])}
        exec(code, names)  # noqa: S102 (our own documentation)
        return names.get("event", {}).get("type") or names.get("is_right")

    for secret in (old, new):
        assert verified(standard, secret, during) == "execution.completed"
    # The header has room for one signature, and the old secret makes it until it expires.
    assert [verified(documented, secret, during) for secret in (old, new)] == [True, False]
    assert verified(standard, last, after) == "execution.completed"
    assert [verified(documented, secret, after) for secret in (old, new, last)] == [False, False, True]
    for secret in (old, new):
        with pytest.raises(WebhookVerificationError):
            verified(standard, secret, after)


@pytest.mark.slow
async def test_a_kill_amid_settlements_loses_no_event_and_invents_none(
    database: Database, receiver: RunningReceiver
) -> None:
    """What has ended is told of, what has not is not, and all of it arrives."""
    desk = postgres_desk(database)
    subscription = await desk.subscribed(
        "execution.completed", "storage.object_created", url=receiver.url("200/killed"), headers={}
    )
    with settling(database):
        await until(database, COMPLETED, lambda found: len(found) >= 40)
    # What the process had sent, the server may still be about to commit.
    await until(database, AT_WORK, lambda found: not found)
    completed = await ids_of(database, COMPLETED)
    for event_type in subscription.event_types:
        assert await ids_of(database, TOLD, event_type) == completed
    with working(database):
        deliveries = await settled(desk, 2 * len(completed))
    arrived = {one["headers"]["webhook-id"] for one in receiver.received() if one["path"].endswith("killed")}
    assert arrived == {str(one.id) for one in deliveries}


COMPLETED = "SELECT id FROM pipeline_execution WHERE status = 'completed'"
TOLD = "SELECT execution_id FROM webhook_event WHERE type = %s"
AT_WORK = "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND state = 'active' AND pid <> pg_backend_pid()"


@contextmanager
def settling(database: Database) -> Iterator[None]:
    """A process that settles, killed at the end."""
    with subprocess.Popen([sys.executable, str(SETTLER), str(database.url)]) as process:
        try:
            yield
        finally:
            process.kill()


async def until(database: Database, query: str, is_so: Callable[[set[Any]], bool]) -> None:
    """Wait for what a query finds."""
    for _ in range(10_000):
        if is_so(await ids_of(database, query)):
            return
        await asyncio.sleep(0.003)
    raise AssertionError(query)


async def ids_of(database: Database, query: str, *values: str) -> set[Any]:
    """What a query finds, each once; that nothing is there twice is checked too."""
    async with database.transaction() as connection:
        rows = await (await connection.execute(query.encode(), values)).fetchall()
    assert len(set(rows)) == len(rows)
    return {row[0] for row in rows}
