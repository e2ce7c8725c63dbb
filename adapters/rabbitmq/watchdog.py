"""Looks now and then whether the broker still answers, and whether consumers still consume."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable
from typing import Protocol

from adapters.rabbitmq.consumer import Consumer
from adapters.rabbitmq.control import Control, QueueFacts
from adapters.rabbitmq.line import Line
from adapters.rabbitmq.subscription import RabbitSubscription
from adapters.rabbitmq.timing import Timing
from adapters.rabbitmq.translation import translating
from domain.errors import FactflowError

log = logging.getLogger(__name__)


class Chore(Protocol):
    """Something that waits until the broker answers."""

    async def __call__(self) -> None: ...


class Watchdog:
    """Runs until cancelled.

    A line over which no answer comes is given up, which a heartbeat would notice too, but several times later.
    A consumer of which the broker knows nothing is put back: its queue has none at all, or it could take what waits
    there and is given nothing between two looks.
    """

    def __init__(
        self,
        lines: Iterable[tuple[Line, Control]],
        subscriptions: Callable[[], Iterable[RabbitSubscription]],
        chore: Chore,
        *,
        timing: Timing,
    ) -> None:
        self._lines = tuple(lines)
        self._subscriptions = subscriptions
        self._chore = chore
        self._timing = timing

    async def run(self) -> None:
        while True:
            await asyncio.sleep(self._timing.watch)
            try:
                for line, control in self._lines:
                    await self._look_at_line(line, control)
                await self._look_at_consumers()
                await self._chore()
            except FactflowError as error:
                log.info("the consumers could not be looked at: %s", error)
            except Exception:
                log.exception("the watch over the broker goes on after a defect")

    async def _look_at_line(self, line: Line, control: Control) -> None:
        if line.present is None:
            return
        looked_at = line.present
        try:
            with translating():
                async with asyncio.timeout(self._timing.answer):
                    await control.ping()
        except FactflowError as error:
            # While a disk or memory alarm lasts, the broker reads nothing from whoever publishes.
            if line.present is looked_at and not await line.is_blocked():
                line.abort(error.message)

    async def _look_at_consumers(self) -> None:
        control = self._lines[0][1]
        for subscription in tuple(self._subscriptions()):
            consumer = subscription.consumer
            if consumer is None:
                continue
            if consumer.has_received:
                consumer.has_received = consumer.is_passed_over = False
                continue
            with translating():
                async with asyncio.timeout(self._timing.answer):
                    facts = await control.queue_facts(subscription.queue.amqp_name)
            _judge(consumer, facts)


def _judge(consumer: Consumer, facts: QueueFacts | None) -> None:
    """Give up a consumer that the broker serves no more; what it was given while we asked shows that it does."""
    if facts is None:
        consumer.give_up("its queue is gone")
    elif not facts.consumers:
        consumer.give_up("the broker does not know it")
    elif consumer.has_received or not facts.waiting:
        consumer.is_passed_over = False
    elif consumer.is_passed_over:
        # The count of consumers is of all processes: those of others may be what the broker sees.
        consumer.give_up("the broker gives it nothing of what waits in its queue")
    else:
        consumer.is_passed_over = consumer.has_room
