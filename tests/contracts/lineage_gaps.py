"""A ledger and lineage in each technology, what is expected of the routes, and what is missing between them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import pytest

from adapters.memory.dead_letters import MemoryDeadLetters
from adapters.memory.ledger import MemoryLedger
from adapters.memory.lineage import MemoryLineage
from adapters.memory.lineage_gap import MemoryLineageGap
from adapters.postgres.dead_letters import PostgresDeadLetters
from adapters.postgres.execution_ledger import PostgresExecutionLedger
from adapters.postgres.ledger import PostgresLedger
from adapters.postgres.lineage_gap import PostgresLineageGap
from adapters.postgres.lineage_reader import PostgresLineageReader
from adapters.postgres.lineage_sink import PostgresLineageSink
from application.ports.dead_letters import DeadLetters
from application.ports.lineage import LineageReader, LineageSink
from application.ports.lineage_gap import LineageGap, RouteGap
from domain.execution import Execution
from domain.expected_lineage import expected_of
from domain.lineage import LineageEntry, StageStatus
from domain.message import Claim, Message, correlation_id
from domain.pipeline import AdapterStep, Condition, Inbound, Operator, Route
from domain.unrecorded_message import UnrecordedMessage
from tests.contracts.ledgers import Ledgers, children
from tests.contracts.lineages import entry
from tests.databases import SERVERS, fresh_database

SOMETIMES = Condition(field="is_asked", operator=Operator.EXISTS, value=True)


def route_of(name: str, *conditions: Condition | None) -> Route:
    """A route with a pipeline adapter for each condition."""
    steps = [AdapterStep(type=f"{name} {place}", condition=one) for place, one in enumerate(conditions)]
    return Route(id=name, name=name, inbound=Inbound(queue=name), adapters=steps)


ROUTES = {
    route.id: route
    for route in (
        route_of("first", None),
        route_of("second", None),
        route_of("both", None, None),
        route_of("gated", SOMETIMES, None, SOMETIMES, None),
        route_of("collecting", None, SOMETIMES, None),
    )
}
EXPECTED = {name: expected_of(route, collects=name == "collecting") for name, route in ROUTES.items()}


@dataclass(frozen=True)
class World:
    """A ledger, its lineage, and what is missing between them."""

    ledgers: Ledgers
    sink: LineageSink
    reader: LineageReader
    gap: LineageGap
    letters: DeadLetters

    async def record(self, *entries: LineageEntry) -> None:
        for each in entries:
            self.sink.record(each)
        await self.sink.flush()

    async def run(self, *names: str) -> tuple[Execution, Claim, list[Claim]]:
        """An execution whose init message is done, with a claimed child of each name."""
        execution = await self.ledgers.started()
        parent = await self.ledgers.claimed_init(execution)
        born = [
            replace(child, parent_correlation_id=correlation_id(parent.message.id, 0, 1))
            for child in children(parent, *names)
        ]
        await self.ledgers.settled(parent, children=born)
        return execution, parent, await self.ledgers.claimed(*(child.id for child in born))

    async def count(self, execution: Execution) -> Sequence[RouteGap]:
        return await self.gap.count(execution.id, EXPECTED)

    async def claimed_on(self, *routes: str) -> tuple[Execution, list[Claim]]:
        """Claimed messages, one for each route, of an execution whose init message lacks nothing."""
        execution = await self.ledgers.started()
        parent = await self.ledgers.claimed_init(execution)
        born = [
            replace(
                children(parent, str(number), route=route)[0],
                parent_correlation_id=correlation_id(parent.message.id, 0, 1),
            )
            for number, route in enumerate(routes)
        ]
        await self.ledgers.settled(parent, children=born)
        await self.record(handled(parent.message))
        claims = {
            claim.message.id: claim for claim in await self.ledgers.claimed(*(child.id for child in born))
        }
        return execution, [claims[child.id] for child in born]

    async def missing(self, execution: Execution) -> list[UnrecordedMessage]:
        return [one async for page in self.gap.missing(execution.id, EXPECTED) for one in page]


@pytest.fixture(params=["memory", *SERVERS])
async def world(request: pytest.FixtureRequest) -> AsyncIterator[World]:
    if request.param == "memory":
        ledger, lineage = MemoryLedger(), MemoryLineage()
        yield World(
            Ledgers(ledger, ledger),
            lineage,
            lineage,
            MemoryLineageGap(ledger, lineage),
            MemoryDeadLetters(ledger),
        )
        return
    async with (
        fresh_database(request.getfixturevalue("postgres_url")) as database,
        PostgresLineageSink(database, flush_seconds=0.01) as sink,
    ):
        ledgers = Ledgers(PostgresLedger(database), PostgresExecutionLedger(database))
        yield World(
            ledgers,
            sink,
            PostgresLineageReader(database),
            PostgresLineageGap(database),
            PostgresDeadLetters(database),
        )


def handled(
    message: Message,
    attempt: int = 1,
    status: StageStatus = StageStatus.COMPLETED,
    *,
    place: int = 0,
    **fields: Any,
) -> LineageEntry:
    """An entry of a message's pipeline adapter, the first unless told otherwise, in an attempt."""
    return entry(
        id=correlation_id(message.id, place, attempt),
        adapter_index=place,
        execution_id=message.execution_id,
        message_id=message.id,
        route_id=message.route_id,
        attempt=attempt,
        status=status,
        **fields,
    )
