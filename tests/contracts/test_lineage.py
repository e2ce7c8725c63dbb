"""The behaviour that ``application.ports.lineage`` promises, for every sink with its reader."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from adapters.memory.lineage import MemoryLineage
from adapters.postgres.lineage_reader import PostgresLineageReader
from adapters.postgres.lineage_sink import PostgresLineageSink
from application.ports.lineage import (
    LINEAGE_SORTS,
    InvalidLineageQuery,
    LineageQuery,
    LineageReader,
    LineageSink,
    RouteStatistics,
)
from domain.lineage import LineageEntry, LineageEntryNotFound, StageStatus

START = datetime(2026, 3, 1, 12, tzinfo=UTC)
EXECUTION = uuid4()


@dataclass(frozen=True)
class Lineage:
    """A sink, and the reader of what it writes."""

    sink: LineageSink
    reader: LineageReader

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
    yield Lineage(lineage, lineage)


@asynccontextmanager
async def postgres(request: pytest.FixtureRequest) -> AsyncIterator[Lineage]:
    database = request.getfixturevalue("database")
    async with PostgresLineageSink(database, flush_seconds=0.01) as sink:
        yield Lineage(sink, PostgresLineageReader(database))


BACKENDS: dict[str, Callable[[pytest.FixtureRequest], AbstractAsyncContextManager[Lineage]]] = {
    "memory": memory,
    "postgres": postgres,
}


@pytest.fixture(params=["memory", pytest.param("postgres", marks=pytest.mark.slow)])
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


async def test_an_entry_is_read_as_it_was_recorded(lineage: Lineage) -> None:
    """Every field."""
    recorded = entry(
        parent_id=uuid4(),
        replay_batch_id=uuid4(),
        input_hash="00ff",
        output_hash="ff00",
        attempt=3,
        adapter_index=2,
        status=StageStatus.FAILED,
        metadata={"url": "https://example.org/å?q=1", "nested": {"list": [1, 2.5, None, True, "🎈"]}},
        error={"code": "invalid", "message": "line 1\nline 2"},
    )
    await lineage.record(recorded)
    assert await lineage.reader.get(recorded.id) == recorded
    assert recorded.duration_ms == 500
    assert lineage.sink.dropped == 0


async def test_an_unknown_entry_is_not_found(lineage: Lineage) -> None:
    """By none of the ways to ask for one."""
    reader = lineage.reader
    for ask in (reader.get, reader.ancestors, reader.descendants, reader.children):
        with pytest.raises(LineageEntryNotFound):
            await ask(uuid4())


async def test_a_later_entry_of_the_same_id_replaces_the_earlier(lineage: Lineage) -> None:
    """Whether the earlier one was written already or not."""
    for flushed_between in (True, False):
        begun = entry(status=StageStatus.PROCESSING, completed_at=None)
        ended = replace(
            begun, status=StageStatus.FAILED, completed_at=START, error={"code": "x"}, output_hash="aa"
        )
        lineage.sink.record(begun)
        if flushed_between:
            await lineage.sink.flush()
            assert (await lineage.reader.get(begun.id)).status is StageStatus.PROCESSING
        await lineage.record(ended)
        assert await lineage.reader.get(begun.id) == ended


async def test_an_entry_that_has_ended_gives_way_to_no_earlier_one(lineage: Lineage) -> None:
    """Whether it was written already or not."""
    for flushed_between in (True, False):
        ended = entry()
        lineage.sink.record(ended)
        if flushed_between:
            await lineage.sink.flush()
        await lineage.record(replace(ended, status=StageStatus.PROCESSING, completed_at=None))
        assert await lineage.reader.get(ended.id) == ended


async def test_recording_the_same_twice_is_harmless(lineage: Lineage) -> None:
    """As after a crash."""
    recorded = entry()
    await lineage.record(recorded, recorded)
    await lineage.record(recorded)
    assert await lineage.ids() == [recorded.id]


async def test_entries_are_listed_by_what_they_are(lineage: Lineage) -> None:
    """Each restriction alone, and several together."""
    batch = uuid4()
    root = entry(route_id="scrape", adapter_name="web_scraper", started_at=START)
    child = entry(parent_id=root.id, started_at=START + timedelta(seconds=1), status=StageStatus.FAILED)
    other = entry(
        execution_id=uuid4(),
        started_at=START + timedelta(seconds=2),
        parent_id=uuid4(),
        replay_batch_id=batch,
    )
    await lineage.record(other, child, root)
    assert await lineage.ids() == [root.id, child.id, other.id]
    assert await lineage.ids(execution_id=EXECUTION) == [root.id, child.id]
    assert await lineage.ids(route_id="scrape") == [root.id]
    assert await lineage.ids(route_id="scr") == []
    assert await lineage.ids(adapter_name="web_scraper") == [root.id]
    assert await lineage.ids(status=StageStatus.FAILED) == [child.id]
    assert await lineage.ids(is_root=True) == [root.id]
    assert await lineage.ids(is_root=False) == [child.id, other.id]
    assert await lineage.ids(replay_batch_id=batch) == [other.id]
    assert await lineage.ids(started_after=root.started_at) == [child.id, other.id]
    assert await lineage.ids(started_before=other.started_at) == [root.id, child.id]
    assert await lineage.ids(started_after=root.started_at, started_before=other.started_at) == [child.id]
    assert await lineage.ids(execution_id=EXECUTION, is_root=False, status=StageStatus.COMPLETED) == []


async def test_provenance_matches_in_part_and_whatever_the_case(lineage: Lineage) -> None:
    """Nothing in the text asked for is a wildcard; a document id matches as a whole."""
    first = entry(
        metadata={"url": "https://Example.org/100%_sure\\x", "document_id": "doc-1", "title": "Håndbok"}
    )
    second = entry(
        metadata={"url": "https://example.org/100 are sure", "document_id": "doc-11", "origin": "wiki"}
    )
    third = entry(
        metadata={"url": 7, "origin": None, "title": ["Håndbok"]}, started_at=START + timedelta(seconds=1)
    )
    await lineage.record(first, second, third)
    assert set(await lineage.ids(url="EXAMPLE.org/100")) == {first.id, second.id}
    assert await lineage.ids(url="100%_SURE\\") == [first.id]
    assert await lineage.ids(url="e_ample") == []
    assert await lineage.ids(title="håND") in ([first.id], [first.id, third.id])
    assert await lineage.ids(origin="IK") == [second.id]
    assert await lineage.ids(document_id="doc-1") == [first.id]
    assert await lineage.ids(document_id="doc") == []


async def test_a_list_is_paged_and_counted(lineage: Lineage) -> None:
    """The total is of all pages."""
    entries = chain(7)
    await lineage.record(*reversed(entries))
    for offset in range(0, 9, 3):
        page, total = await lineage.reader.list(LineageQuery(limit=3, offset=offset))
        assert ([each.id for each in page], total) == ([each.id for each in entries[offset : offset + 3]], 7)
    assert (await lineage.reader.list(LineageQuery(limit=0)))[1] == 7


@pytest.mark.parametrize("sort_by", LINEAGE_SORTS)
async def test_a_list_is_sorted_both_ways(lineage: Lineage, sort_by: str) -> None:
    """Texts by code points, what has not ended last either way, ties by id."""
    texts = ["b", "B", "a b", "a-b", "å", "ab", "ab"]
    entries = [
        entry(
            route_id=text,
            adapter_name=text[::-1],
            stage_name=text * 2,
            started_at=START + timedelta(seconds=number % 3),
            status=list(StageStatus)[number % 6],
            completed_at=START + timedelta(minutes=number % 4) if number % 3 else None,
        )
        for number, text in enumerate(texts)
    ]
    await lineage.record(*entries)
    ended = [each for each in entries if getattr(each, sort_by) is not None]
    ended.sort(key=lambda each: (getattr(each, sort_by), each.id))
    open_ones = sorted((each for each in entries if each not in ended), key=lambda each: each.id)
    expected = [each.id for each in ended + open_ones]
    assert await lineage.ids(sort_by=sort_by) == expected
    backwards = [each.id for each in ended[::-1] + open_ones[::-1]]
    assert await lineage.ids(sort_by=sort_by, descending=True) == backwards


@pytest.mark.parametrize("wrong", [{"sort_by": "id; DROP TABLE"}, {"limit": -1}, {"offset": -1}])
def test_a_query_that_cannot_be_answered_is_refused(wrong: dict[str, Any]) -> None:
    """Before anyone is asked."""
    with pytest.raises(InvalidLineageQuery):
        LineageQuery(**wrong)


async def test_ancestors_come_nearest_first(lineage: Lineage) -> None:
    """Up to the limit, and none for a root."""
    entries = chain(6)
    await lineage.record(*entries)
    above = await lineage.reader.ancestors(entries[-1].id)
    assert [each.id for each in above] == [each.id for each in entries[-2::-1]]
    nearest = await lineage.reader.ancestors(entries[-1].id, limit=2)
    assert [each.id for each in nearest] == [entries[4].id, entries[3].id]
    assert await lineage.reader.ancestors(entries[0].id) == []


async def test_descendants_come_near_ones_before_far_ones(lineage: Lineage) -> None:
    """A tree of threes: by level, within a level by start; up to the limit; without its neighbours."""
    root, neighbour = chain(2)
    neighbour = replace(neighbour, parent_id=None)
    levels = [[root]]
    for depth in (1, 2, 3):
        levels.append(
            [
                entry(
                    parent_id=parent.id,
                    started_at=START + timedelta(seconds=100 * depth + number * 3 + position),
                )
                for position, parent in enumerate(levels[-1])
                for number in range(3)
            ]
        )
    await lineage.record(neighbour, *(each for level in reversed(levels) for each in level))
    expected = [each.id for level in levels[1:] for each in sorted(level, key=lambda e: (e.started_at, e.id))]
    assert [each.id for each in await lineage.reader.descendants(root.id)] == expected
    assert [each.id for each in await lineage.reader.descendants(root.id, limit=7)] == expected[:7]
    assert [each.id for each in await lineage.reader.children(root.id)] == expected[:3]
    assert [each.id for each in await lineage.reader.children(root.id, limit=2)] == expected[:2]
    assert await lineage.reader.descendants(levels[3][0].id) == []


async def test_a_circle_in_the_chain_ends(lineage: Lineage) -> None:
    """No entry appears twice."""
    a, b, c = chain(3)
    await lineage.record(replace(a, parent_id=c.id), b, c)
    assert [each.id for each in await lineage.reader.ancestors(a.id)] == [c.id, b.id]
    assert [each.id for each in await lineage.reader.descendants(a.id)] == [b.id, c.id]
    itself = entry()
    await lineage.record(replace(itself, parent_id=itself.id))
    assert await lineage.reader.ancestors(itself.id) == []
    assert await lineage.reader.descendants(itself.id) == []


async def test_an_entry_whose_parent_was_dropped_has_no_ancestors(lineage: Lineage) -> None:
    """It is no error."""
    orphan = entry(parent_id=uuid4())
    await lineage.record(orphan)
    assert await lineage.reader.ancestors(orphan.id) == []


async def test_a_route_counts_each_message_by_its_last_attempt(lineage: Lineage) -> None:
    """Over all of the attempt's adapters."""
    recovered, broken, running, cancelled = (uuid4() for _ in range(4))
    await lineage.record(
        entry(message_id=recovered, attempt=1, status=StageStatus.FAILED),
        entry(message_id=recovered, attempt=2, adapter_index=0),
        entry(message_id=recovered, attempt=2, adapter_index=1, started_at=START + timedelta(seconds=1)),
        entry(message_id=broken, attempt=1),
        entry(message_id=broken, attempt=2, adapter_index=0),
        entry(message_id=broken, attempt=2, adapter_index=1, status=StageStatus.FAILED),
        entry(message_id=running, adapter_index=0),
        entry(message_id=running, adapter_index=1, status=StageStatus.PROCESSING, completed_at=None),
        entry(message_id=cancelled, status=StageStatus.CANCELLED),
        entry(route_id="Åpen", message_id=uuid4()),
        entry(route_id="ingest", execution_id=uuid4()),
    )
    ingest, other = await lineage.reader.route_statistics(EXECUTION)
    assert (ingest.route_id, other.route_id) == ("ingest", "Åpen")
    assert (ingest.total_messages, ingest.completed, ingest.failed, ingest.in_progress) == (4, 1, 1, 1)
    assert ingest.avg_duration_ms == pytest.approx((1500 + 500 + 500) / 3)
    assert other == RouteStatistics(route_id="Åpen", total_messages=1, completed=1, avg_duration_ms=500.0)
    assert await lineage.reader.route_statistics(uuid4()) == []


async def test_flushing_with_nothing_to_write_returns(lineage: Lineage) -> None:
    """At once."""
    await lineage.sink.flush()
