"""No message waits in the ledger that nobody ever offers to its route."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import timedelta
from uuid import UUID, uuid4

import pytest

from adapters.memory.message_queue import InProcessMessageQueue
from application.engine import route_processor
from application.engine.route_feed import RouteFeed
from application.ports.message_queue import Envelope
from application.ports.pipeline_adapter import AdapterResult, PipelineContext
from tests.unit.engines import bench, ended_well, route
from tests.unit.late_ledgers import LateLedger


class Busy(Exception):
    """A service that asks for a pause."""

    retry_after = 0.1


async def test_a_delivery_that_came_too_early_does_not_cost_its_message(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The retry falls due between a claim that came too early and its answer, while the queue still has the delivery."""
    monkeypatch.setattr(route_processor, "LOOKED_FOR_AGAIN", timedelta(seconds=0.05))
    ledger = LateLedger()
    failed = asyncio.Event()

    async def answer_late(claims: object) -> None:
        if not claims:
            await asyncio.sleep(2 * Busy.retry_after)

    ledger.claimed = answer_late

    async def act(context: PipelineContext) -> AdapterResult:
        if context.attempt == 1:
            # The delivery of what is at work goes back to the queue.
            on.engine.gates.of(context.execution_id)["a"].pause("test")
            await asyncio.sleep(0.01)
            failed.set()
            raise Busy
        return AdapterResult(message=context.message)

    async with bench({"act": act}, ledger=ledger, executions=ledger.inner) as on:
        started = await on.start(route("a", "act"))
        await failed.wait()
        await asyncio.sleep(0.02)
        on.engine.gates.of(started.id)["a"].resume("test")
        assert ended_well(await on.ended(started.id, within=5))


class EagerQueue(InProcessMessageQueue):
    """A queue whose messages have been dealt with before it confirms that it has them."""

    def __init__(self, deal_with: Callable[[UUID], None]) -> None:
        super().__init__()
        self._deal_with = deal_with

    async def publish(self, queue: str, envelopes: Sequence[Envelope]) -> int:
        taken = await super().publish(queue, envelopes)
        for envelope in envelopes:
            self._deal_with(envelope.message_id)
        return taken


async def test_a_message_dealt_with_before_the_queue_confirms_it_is_not_waited_for() -> None:
    """Or the feed would never look in the ledger again."""

    def deal_with(message_id: UUID) -> None:
        feed.consumed(message_id)

    async with bench({}) as on:
        feed = RouteFeed(
            ports=replace(on.engine.ports, queue=EagerQueue(deal_with)),
            execution_id=uuid4(),
            route_id="a",
            queue_name="a",
        )
        await feed.offer([uuid4(), uuid4()])
        assert feed.is_clear
