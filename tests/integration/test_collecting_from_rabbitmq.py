"""A route that collects from RabbitMQ, over PostgreSQL: more is held than the broker lets a consumer have unacknowledged."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from adapters.postgres.execution_ledger import PostgresExecutionLedger
from adapters.postgres.group_ledger import PostgresGroupLedger
from adapters.postgres.ledger import PostgresLedger
from adapters.rabbitmq.message_queue import RabbitMessageQueue
from application.ports.pipeline_adapter import PipelineContext
from tests.databases import fresh_database
from tests.rabbitmq_hands import QUICK
from tests.unit.collecting import Collector, End, gathering, grouping, numbered, until_held
from tests.unit.engines import ended_well, route

pytestmark = pytest.mark.slow

MESSAGES = 300
PREFETCH = 20
"""The default of a route's backpressure, which is more than twice a concurrency of 2."""


@pytest.fixture
async def queue(rabbitmq_url: str) -> AsyncIterator[RabbitMessageQueue]:
    async with RabbitMessageQueue([rabbitmq_url], timing=QUICK) as opened:
        yield opened


async def test_more_messages_are_held_than_a_consumer_may_have_unacknowledged(
    queue: RabbitMessageQueue, postgres_url: str
) -> None:
    """Their deliveries are acknowledged, their claims stand for them; what was held goes back when the route pauses."""
    go = asyncio.Event()

    async def slow(context: PipelineContext) -> None:
        await go.wait()

    end, gather = End(), Collector(grouping=grouping(max_messages=1000))
    routes = (
        route("a", "fan", to=("b", "s")),
        route("b", "gather", to="c", concurrency=2),
        route("s", "slow", to="b", concurrency=1),
        route("c", "end"),
    )
    acts = {"fan": numbered(MESSAGES), "slow": slow, "end": end}
    async with fresh_database(postgres_url) as database:
        ledger, executions = PostgresLedger(database), PostgresExecutionLedger(database)
        async with gathering(
            acts,
            {"gather": gather},
            ledger=ledger,
            executions=executions,
            groups=PostgresGroupLedger(database),
            queue=queue,
        ) as on:
            execution = await on.start(*routes)
            await until_held(on, execution, "b", MESSAGES)
            gate = on.engine.gates.of(execution.id)["b"]
            gate.pause("test")
            await until_held(on, execution, "b", 0)
            gate.resume("test")
            await until_held(on, execution, "b", MESSAGES)
            assert gather.groups == []
            go.set()
            ended = await on.ended(execution.id, within=30)
    assert ended_well(ended)
    assert (ended.counts.done, ended.counts.skipped) == (1 + MESSAGES + 1, MESSAGES)
    assert end.numbers == list(range(MESSAGES))
    assert [len(group) for group in end.groups] == [MESSAGES]
    assert {context.attempt for context in gather.contexts} == {1}
