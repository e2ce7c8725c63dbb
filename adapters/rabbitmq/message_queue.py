"""Queues and topics in RabbitMQ."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from time import monotonic
from types import TracebackType
from typing import Self

from adapters.rabbitmq.control import Control
from adapters.rabbitmq.details import queue_details
from adapters.rabbitmq.envelopes import encoded
from adapters.rabbitmq.line import Line, opened
from adapters.rabbitmq.names import amqp_name
from adapters.rabbitmq.publisher import Publisher
from adapters.rabbitmq.queue_arguments import QueueType, queue_arguments
from adapters.rabbitmq.queue_state import QueueState
from adapters.rabbitmq.subscription import RabbitSubscription
from adapters.rabbitmq.timing import Timing
from adapters.rabbitmq.topics import Broadcaster, Listener
from adapters.rabbitmq.translation import RabbitUnavailable, translating
from adapters.rabbitmq.watchdog import Watchdog
from application.ports.message_queue import Envelope, SubscriptionClosed
from application.ports.readiness import ComponentHealth, Health
from application.queue_details import latest
from domain.errors import FactflowError, Unavailable
from domain.json import JsonObject

log = logging.getLogger(__name__)

UNBOUNDED = 1_000_000


class RabbitMessageQueue:
    """Durable queues of persistent envelopes, opened by ``async with`` and closed by leaving it.

    Two connections, because a broker that is short of disk or memory reads nothing from one that publishes:
    acknowledgements go over the other. ``urls`` are the hosts of one cluster. A queue's arguments are those of its
    first declaration, so all processes have the same ``queue_type``.
    """

    component = "queue"
    is_private = False

    def __init__(
        self,
        urls: Sequence[str],
        *,
        queue_type: QueueType = "classic",
        topic_capacity: int = 256,
        timing: Timing | None = None,
    ) -> None:
        self._timing = timing or Timing()
        self._arguments = queue_arguments(queue_type)
        self._topic_capacity = topic_capacity
        self._consuming = Line(urls, name="consuming", timing=self._timing)
        self._publishing = Line(urls, name="publishing", timing=self._timing)
        self._control = Control(self._consuming)
        self._publisher = Publisher(self._publishing)
        self._broadcaster = Broadcaster(self._publishing, self._control)
        self._queues: dict[str, QueueState] = {}
        self._subscriptions: dict[RabbitSubscription, None] = {}
        self._received_at: float | None = None
        self._to_delete: set[str] = set()
        self._opened = AsyncExitStack()

    async def __aenter__(self) -> Self:
        async with AsyncExitStack() as stack:
            lines = (self._consuming, self._publishing)
            for line in lines:
                await stack.enter_async_context(line)
            await opened(lines, self._timing.open)
            watchdog = Watchdog(
                ((self._consuming, self._control), (self._publishing, Control(self._publishing))),
                lambda: self._subscriptions,
                self._delete_what_is_left,
                timing=self._timing,
            )
            await stack.enter_async_context(_running(watchdog))
            self._opened = stack.pop_all()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await asyncio.gather(*(subscription.close() for subscription in tuple(self._subscriptions)))
        await self._opened.aclose()

    async def publish(self, queue: str, envelopes: Sequence[Envelope]) -> int:
        if not envelopes:
            return 0
        state = self._state(queue)
        bodies: Sequence[bytes] = [encoded(envelope) for envelope in envelopes]
        with translating():
            async with asyncio.timeout(self._timing.publish):
                await state.declare(self._control)
                bodies = await self._publisher.publish(state.amqp_name, bodies)
                if bodies:
                    # Nobody has it any more, and the broker would not say so by itself.
                    state.tell_lost()
                    await state.declare(self._control)
                    bodies = await self._publisher.publish(state.amqp_name, bodies)
        if bodies:
            raise RabbitUnavailable(f"the queue {queue} does not stay declared")
        return len(envelopes)

    @asynccontextmanager
    async def subscribe(self, queue: str, *, prefetch: int) -> AsyncIterator[RabbitSubscription]:
        if prefetch < 1:
            raise ValueError("a subscription needs a prefetch of at least 1")
        subscription = RabbitSubscription(
            self._state(queue), prefetch, self._control, line=self._consuming, timing=self._timing
        )
        self._subscriptions[subscription] = None
        try:
            await subscription.open()
            yield subscription
        finally:
            self._subscriptions.pop(subscription, None)
            self._received_at = latest(self._received_at, subscription.received_at)
            await subscription.close()

    async def room(self, queue: str) -> int:  # noqa: ARG002 - the port's signature
        """It is the broker's disk that bounds a queue."""
        return UNBOUNDED

    async def delete(self, queue: str) -> None:
        """As the port says; while the broker does not answer it is noted, and done when it answers again."""
        self._queues.pop(queue, None)
        for subscription in [one for one in self._subscriptions if one.queue.name == queue]:
            subscription.end(SubscriptionClosed())
        self._to_delete.add(queue)
        try:
            await self._delete(queue)
        except Unavailable as error:
            log.warning("the queue %s is deleted later: %s", queue, error)

    async def broadcast(self, topic: str, payload: JsonObject) -> None:
        with translating():
            async with asyncio.timeout(self._timing.answer):
                await self._broadcaster.say(amqp_name(topic), payload)

    @asynccontextmanager
    async def listen(self, topic: str) -> AsyncIterator[AsyncIterator[JsonObject]]:
        listener = Listener(
            topic, amqp_name(topic), self._topic_capacity, line=self._consuming, timing=self._timing
        )
        try:
            await listener.open()
            yield listener
        finally:
            await listener.close()

    async def check(self) -> ComponentHealth:
        """Whether the broker answers, takes messages, and has all our consumers."""
        stopped = sorted(one.queue.name for one in self._subscriptions if one.consumer is None)
        is_blocked = await self._publishing.is_blocked()
        trouble = self._consuming.trouble or self._publishing.trouble or await self._silence()
        health, message = Health.HEALTHY, None
        if trouble:
            health, message = Health.UNHEALTHY, trouble
        elif is_blocked:
            health, message = Health.DEGRADED, "the broker takes no messages: it is short of disk or memory"
        elif stopped:
            health, message = Health.DEGRADED, f"{len(stopped)} consumers have stopped and are put back"
        lines = (self._consuming, self._publishing)
        told = queue_details(lines, self._subscriptions, health, received_at=self._received_at)
        details: JsonObject = {
            **told.told(now=monotonic()),
            "host": self._consuming.host,
            "blocked": is_blocked,
            "consumers": len(self._subscriptions),
            "stopped_consumers": list(stopped),
        }
        return ComponentHealth(name=self.component, health=health, message=message, details=details)

    async def _silence(self) -> str | None:
        """Why the broker gave no answer, or None."""
        try:
            with translating():
                async with asyncio.timeout(min(self._timing.answer, 2.0)):
                    await self._control.ping()
        except FactflowError as error:
            return error.message
        return None

    def _state(self, queue: str) -> QueueState:
        self._to_delete.discard(queue)
        state = self._queues.get(queue)
        if state is None:
            state = self._queues[queue] = QueueState(
                name=queue, amqp_name=amqp_name(queue), arguments=self._arguments
            )
        return state

    async def _delete(self, queue: str) -> None:
        if self._consuming.present is None:
            raise RabbitUnavailable(self._consuming.trouble)
        with translating():
            async with asyncio.timeout(self._timing.answer):
                await self._control.delete(amqp_name(queue))
        self._to_delete.discard(queue)

    async def _delete_what_is_left(self) -> None:
        for queue in tuple(self._to_delete):
            await self._delete(queue)


@asynccontextmanager
async def _running(watchdog: Watchdog) -> AsyncIterator[None]:
    task = asyncio.create_task(watchdog.run(), name="rabbitmq watchdog")
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
