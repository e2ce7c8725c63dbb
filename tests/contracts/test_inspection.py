"""What every ``Inspection`` does."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest

from adapters.memory.corpus import Corpus
from adapters.memory.documents import MemoryDocuments
from adapters.memory.inspection import MemoryInspection
from adapters.memory.ledger import MemoryLedger
from adapters.memory.webhook_store import WebhookStore
from adapters.postgres.database import Database
from adapters.postgres.documents import PostgresDocuments
from adapters.postgres.execution_ledger import PostgresExecutionLedger
from adapters.postgres.inspection import PostgresInspection
from adapters.postgres.ledger import PostgresLedger
from application.ports.documents import Documents
from application.ports.inspection import Inspection
from domain.errors import Unavailable
from domain.message import Outcome
from tests.contracts.ledgers import Ledgers
from tests.contracts.segment_indexes import new_document
from tests.databases import SERVERS, fresh_database


@dataclass(frozen=True, slots=True)
class Looked:
    """A store, and who looks at it."""

    inspection: Inspection
    ledgers: Ledgers
    documents: Documents


@pytest.fixture(params=["memory", *SERVERS])
async def looked(request: pytest.FixtureRequest) -> AsyncIterator[Looked]:
    if request.param == "memory":
        ledger, corpus = MemoryLedger(), Corpus()
        inspection = MemoryInspection(ledger, corpus, WebhookStore())
        yield Looked(inspection, Ledgers(ledger, ledger), MemoryDocuments(corpus))
        return
    async with fresh_database(request.getfixturevalue("postgres_url")) as database:
        ledgers = Ledgers(PostgresLedger(database), PostgresExecutionLedger(database))
        yield Looked(PostgresInspection(database), ledgers, PostgresDocuments(database))


async def test_nothing_is_counted_where_nothing_is(looked: Looked) -> None:
    """Empty counts, and no zeros in them."""
    totals = await looked.inspection.totals()
    assert (totals.executions, totals.messages, totals.deliveries, totals.documents) == ({}, {}, {}, 0)


async def test_executions_and_messages_are_counted_by_how_they_stand(looked: Looked) -> None:
    """Over all executions."""
    first = await looked.ledgers.started()
    await looked.ledgers.started()
    claim = await looked.ledgers.claimed_init(first)
    await looked.ledgers.settled(claim, Outcome.SKIPPED)
    totals = await looked.inspection.totals()
    assert totals.executions == {"completed": 1, "running": 1}
    assert totals.messages == {"outstanding": 1, "skipped": 1}


async def test_documents_are_counted_once_they_can_be_found(looked: Looked) -> None:
    """One that waits for its segments is not."""
    await looked.documents.begin(new_document("empty"), expected=0)
    await looked.documents.begin(new_document("waiting"), expected=2)
    assert (await looked.inspection.totals()).documents == 1


async def test_facts_name_what_the_data_lies_in(looked: Looked) -> None:
    """With the largest relation first, where there are relations."""
    facts = await looked.inspection.facts()
    assert facts.product
    assert facts.version
    sizes = [relation.size for relation in facts.relations]
    assert sizes == sorted(sizes, reverse=True)
    if facts.relations:
        assert {"message", "lineage_entry"} <= {relation.name for relation in facts.relations}
        assert facts.schema_version > 0
        assert facts.size > 0
        assert 0 < facts.connections <= facts.max_connections
        assert facts.vector_version is not None


async def test_a_database_that_is_not_open_is_unavailable() -> None:
    """As everywhere else."""
    inspection = PostgresInspection(Database("postgresql://nowhere"))
    with pytest.raises(Unavailable):
        await inspection.totals()
    with pytest.raises(Unavailable):
        await inspection.facts()
