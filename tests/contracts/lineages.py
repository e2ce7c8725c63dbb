"""A lineage sink with everything that reads what it writes, in each technology, and entries to record."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from adapters.memory.lineage import MemoryLineage
from adapters.memory.lineage_statistics import MemoryLineageStatistics
from adapters.postgres.lineage_reader import PostgresLineageReader
from adapters.postgres.lineage_sink import PostgresLineageSink
from adapters.postgres.lineage_statistics import PostgresLineageStatistics
from application.ports.lineage import LineageQuery, LineageReader, LineageSink
from application.ports.lineage_statistics import LineageStatistics
from domain.lineage import LineageEntry, StageStatus
from tests.databases import SERVERS

START = datetime(2026, 3, 1, 12, tzinfo=UTC)
EXECUTION = uuid4()


@dataclass(frozen=True)
class Lineage:
    """A sink, and those who read what it writes."""

    sink: LineageSink
    reader: LineageReader
    statistics: LineageStatistics

    async def record(self, *entries: LineageEntry) -> None:
        for entry in entries:
            self.sink.record(entry)
        await self.sink.flush()

    async def ids(self, **query: Any) -> list[UUID]:
        entries, total = await self.reader.list(LineageQuery(**query))
        assert total >= len(entries)
        return [entry.id for entry in entries]


@asynccontextmanager
async def memory(request: pytest.FixtureRequest) -> AsyncIterator[Lineage]:
    lineage = MemoryLineage()
    yield Lineage(lineage, lineage, MemoryLineageStatistics(lineage))


@asynccontextmanager
async def postgres(request: pytest.FixtureRequest) -> AsyncIterator[Lineage]:
    database = request.getfixturevalue("database")
    async with PostgresLineageSink(database, flush_seconds=0.01) as sink:
        yield Lineage(sink, PostgresLineageReader(database), PostgresLineageStatistics(database))


BACKENDS: dict[str, Callable[[pytest.FixtureRequest], AbstractAsyncContextManager[Lineage]]] = {
    "memory": memory,
    "postgres": postgres,
}


@pytest.fixture(params=["memory", *SERVERS])
def backend(request: pytest.FixtureRequest) -> Callable[[], AbstractAsyncContextManager[Lineage]]:
    if request.param == "postgres":
        request.getfixturevalue("database")
    return lambda: BACKENDS[request.param](request)


@pytest.fixture
async def lineage(backend: Callable[[], AbstractAsyncContextManager[Lineage]]) -> AsyncIterator[Lineage]:
    async with backend() as opened:
        yield opened


def entry(**fields: Any) -> LineageEntry:
    """A completed entry, half a second long."""
    started_at = fields.pop("started_at", START)
    defaults: dict[str, Any] = {
        "id": uuid4(),
        "parent_id": None,
        "execution_id": EXECUTION,
        "message_id": uuid4(),
        "route_id": "ingest",
        "adapter_name": "html_to_markdown",
        "adapter_index": 0,
        "attempt": 1,
        "stage_name": "markdown",
        "status": StageStatus.COMPLETED,
        "started_at": started_at,
        "completed_at": started_at + timedelta(milliseconds=500),
    }
    return LineageEntry(**{**defaults, **fields})


def chain(length: int) -> list[LineageEntry]:
    """Entries of which each is the parent of the next, a second later."""
    entries: list[LineageEntry] = []
    for number in range(length):
        parent_id = entries[-1].id if entries else None
        entries.append(entry(parent_id=parent_id, started_at=START + timedelta(seconds=number)))
    return entries
