"""What every ``MessageHistory`` does."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID, uuid4

import pytest

from adapters.memory.dead_letters import MemoryDeadLetters
from adapters.memory.ledger import MemoryLedger
from adapters.memory.lineage import MemoryLineage
from adapters.memory.message_history import MemoryMessageHistory
from adapters.postgres.dead_letters import PostgresDeadLetters
from adapters.postgres.execution_ledger import PostgresExecutionLedger
from adapters.postgres.ledger import PostgresLedger
from adapters.postgres.lineage_sink import PostgresLineageSink
from adapters.postgres.message_history import PostgresMessageHistory
from application.ports.dead_letters import DeadLetters
from application.ports.lineage import LineageSink
from application.ports.message_history import HistoryCursor, MessageHistory, StageSeen
from domain.dead_letter import DeadLetterFilter
from domain.lineage import LineageEntry, StageStatus
from domain.message import Message, Outcome, correlation_id
from tests.contracts.ledgers import NOW, Ledgers, children
from tests.databases import SERVERS, fresh_database
from tests.kept_messages import kept_in


@dataclass(frozen=True, slots=True)
class Past:
    """A history with the ledger and the lineage that it reads."""

    history: MessageHistory
    ledgers: Ledgers
    lineage: LineageSink
    letters: DeadLetters

    async def happened(self, *names: str, execution_id: UUID | None = None) -> tuple[UUID, list[Message]]:
        """An execution whose route ``second`` had a message for each name."""
        execution = await self.ledgers.started(id=execution_id or uuid4())
        claim = await self.ledgers.claimed_init(execution)
        made = children(claim, *names)
        await self.ledgers.settled(claim, children=made)
        return execution.id, made

    async def told(
        self, message: Message, at: int = 0, *, stage: str = "kept", adapter: str = "keep", attempt: int = 1
    ) -> None:
        """A lineage entry that names a message, so many seconds after the beginning."""
        self.lineage.record(
            LineageEntry(
                id=correlation_id(message.id, at, attempt),
                parent_id=None,
                execution_id=message.execution_id,
                message_id=message.id,
                route_id=message.route_id,
                adapter_name=adapter,
                adapter_index=0,
                attempt=attempt,
                stage_name=stage,
                status=StageStatus.COMPLETED,
                started_at=NOW + timedelta(seconds=at),
            )
        )
        await self.lineage.flush()


@pytest.fixture(params=["memory", *SERVERS])
async def past(request: pytest.FixtureRequest) -> AsyncIterator[Past]:
    """Each history there is, empty."""
    if request.param == "memory":
        ledger, lineage = MemoryLedger(), MemoryLineage()
        history = MemoryMessageHistory(lineage, kept_in(ledger))
        yield Past(history, Ledgers(ledger, ledger), lineage, MemoryDeadLetters(ledger))
        return
    async with (
        fresh_database(request.getfixturevalue("postgres_url")) as database,
        PostgresLineageSink(database) as sink,
    ):
        ledgers = Ledgers(PostgresLedger(database), PostgresExecutionLedger(database))
        yield Past(PostgresMessageHistory(database), ledgers, sink, PostgresDeadLetters(database))


async def test_stages_are_told_once_each_by_route_and_name(past: Past) -> None:
    """Of the one execution only."""
    execution_id, (one, two) = await past.happened("one", "two")
    _, (other,) = await past.happened("other")
    await past.told(one, 1, stage="b", adapter="x")
    await past.told(two, 2, stage="b", adapter="x")
    await past.told(two, 3, stage="B", adapter="y")
    await past.told(other, 4, stage="elsewhere")
    assert await past.history.stages(execution_id) == [
        StageSeen(route_id="second", stage="B", adapter="y"),
        StageSeen(route_id="second", stage="b", adapter="x"),
    ]
    assert await past.history.stages(uuid4()) == []


async def test_messages_come_in_the_order_in_which_lineage_tells_of_them(past: Past) -> None:
    """Whole, as they were in the ledger."""
    execution_id, (one, two) = await past.happened("one", "two")
    await past.told(two, 1)
    await past.told(one, 2)
    page = await past.history.page(execution_id, "second", stage=None, limit=10)
    assert (page.messages, page.gone, page.following) == ([two, one], [], None)


async def test_a_stage_is_named_by_itself_or_by_its_pipeline_adapter(past: Past) -> None:
    """And nothing is found under another name, or in another route."""
    execution_id, (one, two) = await past.happened("one", "two")
    await past.told(one, 1, stage="kept", adapter="keep")
    await past.told(two, 2, stage="use", adapter="use")
    for stage, expected in [("kept", [one]), ("keep", [one]), ("use", [two]), ("other", [])]:
        page = await past.history.page(execution_id, "second", stage=stage, limit=10)
        assert page.messages == expected
    assert (await past.history.page(execution_id, "first", stage=None, limit=10)).messages == []


async def test_pages_follow_each_other(past: Past) -> None:
    """To the end, without leaving anything out, also between entries of one moment."""
    names = [f"m{number}" for number in range(7)]
    execution_id, made = await past.happened(*names)
    for number, message in enumerate(made):
        await past.told(message, number // 3)
    found: list[Message] = []
    after: HistoryCursor | None = None
    for _ in range(4):
        page = await past.history.page(execution_id, "second", stage=None, after=after, limit=2)
        found += page.messages
        after = page.following
    assert after is None
    assert sorted(message.id for message in found) == sorted(message.id for message in made)


async def test_a_message_that_was_tried_again_is_on_its_page_once(past: Past) -> None:
    """However many entries name it."""
    execution_id, (one,) = await past.happened("one")
    await past.told(one, 1, attempt=1)
    await past.told(one, 2, attempt=2)
    assert (await past.history.page(execution_id, "second", stage=None, limit=10)).messages == [one]


async def test_a_purged_dead_letter_is_gone(past: Past) -> None:
    """Its row is there, and it is not the message any more."""
    execution_id, (one, two) = await past.happened("one", "two")
    for at, message in enumerate((one, two)):
        await past.told(message, at)
        (claim,) = await past.ledgers.claimed(message.id)
        await past.ledgers.settled(claim, Outcome.DEAD, error={"code": "x"})
    await past.letters.purge(DeadLetterFilter(message_id=two.id), limit=10, now=NOW)
    page = await past.history.page(execution_id, "second", stage=None, limit=10)
    assert (page.messages, page.gone) == ([one], [two.id])


async def test_a_message_that_the_ledger_has_lost_is_named(past: Past) -> None:
    """By its id, while the others are there."""
    execution_id, (one,) = await past.happened("one")
    lost = Message(id=uuid4(), execution_id=execution_id, route_id="second", payload={})
    await past.told(one, 1)
    await past.told(lost, 2)
    page = await past.history.page(execution_id, "second", stage=None, limit=10)
    assert (page.messages, page.gone) == ([one], [lost.id])
