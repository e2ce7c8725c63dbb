"""A delivery worker in memory, whose time passes when a test says so."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

from adapters.memory.clock import ManualClock
from adapters.memory.event_bus import InProcessEventBus
from adapters.memory.webhook_deliveries import MemoryWebhookDeliveries
from adapters.memory.webhook_queue import MemoryWebhookQueue
from adapters.memory.webhook_sender import Endpoint, MemoryWebhookSender
from adapters.memory.webhook_store import WebhookStore
from adapters.memory.webhook_subscriptions import MemoryWebhookSubscriptions
from adapters.system.id_source import SystemIdSource
from application.ports.webhook_sender import WebhookRequest
from application.webhooks.attempting import Attempting
from application.webhooks.care import EndpointCare
from application.webhooks.deliveries import Deliveries
from application.webhooks.delivery_worker import DeliveryWorker, WorkerSettings
from application.webhooks.redeliveries import Redeliveries
from application.webhooks.subscriptions import Subscriptions
from domain.webhooks.delivery import Answer, Delivery
from domain.webhooks.endpoint_health import DisableRules
from domain.webhooks.event import WebhookEvent
from domain.webhooks.schedule import RetrySchedule
from domain.webhooks.subscription import Subscription

URL = "https://example.org/hook"


@dataclass
class Answering:
    """Answers in turn, by URL, the last one for ever; 200 to whom nothing is laid down."""

    by_url: dict[str, list[Answer]] = field(default_factory=dict)
    gates: dict[str, asyncio.Event] = field(default_factory=dict)

    async def __call__(self, request: WebhookRequest) -> Answer:
        if request.url in self.gates:
            await self.gates[request.url].wait()
        answers = self.by_url.get(request.url, [Answer(status=200)])
        return answers.pop(0) if len(answers) > 1 else answers[0]


@dataclass
class Post:
    """Everything of webhooks in one process."""

    clock: ManualClock
    store: WebhookStore
    answering: Answering
    sender: MemoryWebhookSender
    worker: DeliveryWorker
    subscriptions: Subscriptions
    deliveries: Deliveries
    redeliveries: Redeliveries

    async def subscribed(self, url: str = URL, *event_types: str, **fields: Any) -> Subscription:
        """A subscription to completed executions, unless said otherwise."""
        types = event_types or ("execution.completed",)
        return await self.subscriptions.create(url=url, event_types=types, **fields)

    async def happened(self, count: int = 1, event_type: str = "execution.completed") -> list[WebhookEvent]:
        """So many events, which the worker has found."""
        events = [
            WebhookEvent(id=uuid4(), type=event_type, occurred_at=self.clock.now(), data={"number": number})
            for number in range(count)
        ]
        for event in events:
            self.store.publish(event)
        self.worker.wake()
        await self.settle()
        return events

    async def settle(self) -> None:
        """Let everything happen that needs no time."""
        for _ in range(200):
            await asyncio.sleep(0)

    async def pass_minutes(self, minutes: float) -> None:
        """Let the time pass."""
        await self.clock.advance(minutes * 60)
        await self.settle()

    def of(self, subscription: Subscription) -> Sequence[Delivery]:
        """Its deliveries, the earliest first."""
        return self.store.of_subscription(subscription.id)

    def sent(self, url: str = URL) -> list[WebhookRequest]:
        """What was sent to an address."""
        return [request for request in self.sender.requests if request.url == url]


@asynccontextmanager
async def working(
    *answers: Answer,
    rules: DisableRules | None = None,
    schedule: RetrySchedule | None = None,
    endpoint: Endpoint | None = None,
    store: WebhookStore | None = None,
    settings: WorkerSettings | None = None,
    queue: type[MemoryWebhookQueue] = MemoryWebhookQueue,
    kept: type[MemoryWebhookSubscriptions] = MemoryWebhookSubscriptions,
) -> AsyncIterator[Post]:
    """A worker at work; the answers are those to the usual address."""
    clock, ids = ManualClock(), SystemIdSource()
    store = store or WebhookStore()
    answering = Answering({URL: list(answers)} if answers else {})
    sender = MemoryWebhookSender(endpoint or answering)
    subscriptions, deliveries = kept(store), MemoryWebhookDeliveries(store)
    worker = DeliveryWorker(
        queue=queue(store),
        subscriptions=subscriptions,
        attempting=Attempting(
            sender=sender, clock=clock, ids=ids, schedule=schedule or RetrySchedule(jitter=0)
        ),
        care=EndpointCare(subscriptions=subscriptions, clock=clock, ids=ids, rules=rules or DisableRules()),
        events=InProcessEventBus(),
        settings=settings or WorkerSettings(record_seconds=0, poll_seconds=60),
    )
    use_case = Deliveries(
        deliveries=deliveries, subscriptions=subscriptions, clock=clock, ids=ids, changed=worker.wake
    )
    post = Post(
        clock=clock,
        store=store,
        answering=answering,
        sender=sender,
        worker=worker,
        subscriptions=Subscriptions(
            subscriptions=subscriptions, sender=sender, clock=clock, ids=ids, changed=worker.wake
        ),
        deliveries=use_case,
        redeliveries=Redeliveries(deliveries=use_case),
    )
    async with worker, post.redeliveries:
        await post.settle()
        yield post
