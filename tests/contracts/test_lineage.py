"""The behaviour that ``application.ports.lineage`` promises, for every sink with its reader."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest

from application.ports.lineage import LINEAGE_SORTS, InvalidLineageQuery, LineagePlace, LineageQuery
from domain.lineage import LineageEntryNotFound, StageStatus
from tests.contracts.lineages import EXECUTION, START, Lineage, backend, chain, entry, lineage

__all__ = ["backend", "lineage"]  # fixtures


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


BEHIND = {"sort_by": "route_id", "after": LineagePlace(started_at=START, id=EXECUTION)}


@pytest.mark.parametrize("wrong", [{"sort_by": "id; DROP TABLE"}, {"limit": -1}, {"offset": -1}, BEHIND])
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
    """A tree of threes: by level, within a level by parent, then by start; up to the limit; without its neighbours."""
    root, neighbour = chain(2)
    neighbour = replace(neighbour, parent_id=None)
    levels = [[root]]
    for depth in (1, 2, 3):
        levels.append(
            [
                entry(
                    parent_id=parent.id,
                    started_at=START + timedelta(seconds=100 * depth + number * 3 - position),
                )
                for position, parent in enumerate(levels[-1])
                for number in range(3)
            ]
        )
    await lineage.record(neighbour, *(each for level in reversed(levels) for each in level))
    expected = [each.id for level in levels[1:] for each in level]
    assert [each.id for each in await lineage.reader.descendants(root.id)] == expected
    assert [each.id for each in await lineage.reader.descendants(root.id, limit=7)] == expected[:7]
    assert [each.id for each in await lineage.reader.children(root.id)] == expected[:3]
    assert [each.id for each in await lineage.reader.children(root.id, limit=2)] == expected[:2]
    assert await lineage.reader.descendants(levels[3][0].id) == []


async def test_what_was_collected_is_among_the_ancestors_of_what_came_of_it(lineage: Lineage) -> None:
    """And that is among the descendants of each; what two of them came from is told once. `children` are of one parent."""
    root = entry()
    sources = [entry(parent_id=root.id, started_at=START + timedelta(seconds=n + 1)) for n in range(3)]
    lead, *others = [
        entry(parent_id=one.id, started_at=START + timedelta(seconds=10 + n)) for n, one in enumerate(sources)
    ]
    others = [replace(one, collected_into=lead.id) for one in others]
    result = entry(parent_id=lead.id, started_at=START + timedelta(seconds=20))
    await lineage.record(root, *sources, lead, *others, result)
    assert (await lineage.reader.get(others[0].id)).collected_into == lead.id
    above = [one.id for one in await lineage.reader.ancestors(result.id)]
    assert above == [one.id for one in (lead, sources[0], *others, root, *sources[1:])]
    assert [one.id for one in await lineage.reader.ancestors(result.id, limit=3)] == above[:3]
    assert [one.id for one in await lineage.reader.ancestors(others[0].id)] == [sources[1].id, root.id]
    assert [one.id for one in await lineage.reader.descendants(others[1].id)] == [lead.id, result.id]
    below = {one.id for one in await lineage.reader.descendants(root.id)}
    assert below == {one.id for one in (*sources, lead, *others, result)}
    assert [one.id for one in await lineage.reader.children(lead.id)] == [result.id]


async def test_what_was_collected_into_an_entry_that_is_not_there_leads_no_further(lineage: Lineage) -> None:
    lost = entry(collected_into=uuid4())
    await lineage.record(lost)
    assert await lineage.reader.descendants(lost.id) == []


async def test_a_long_chain_is_followed_to_the_limit(lineage: Lineage) -> None:
    """Both ways."""
    entries = chain(1200)
    await lineage.record(*entries)
    below = await lineage.reader.descendants(entries[0].id, limit=1100)
    assert [each.id for each in below] == [each.id for each in entries[1:1101]]
    above = await lineage.reader.ancestors(entries[-1].id, limit=1100)
    assert [each.id for each in above] == [each.id for each in entries[-2:-1102:-1]]


async def test_a_page_begins_behind_the_entry_before(lineage: Lineage) -> None:
    """Forwards, backwards and among children; entries of the very same moment are told apart; the total is of all."""
    root = entry()
    entries = [
        entry(parent_id=root.id, started_at=START + timedelta(seconds=number // 3)) for number in range(9)
    ]
    await lineage.record(root, *entries)
    entries.sort(key=lambda each: (each.started_at, each.id))
    for descending in (False, True):
        expected = [each.id for each in (entries[::-1] if descending else entries)]
        place, found = None, []
        while True:
            query = LineageQuery(is_root=False, limit=4, descending=descending, after=place)
            page, total = await lineage.reader.list(query)
            assert total == 9
            found += [each.id for each in page]
            if len(page) < 4:
                break
            place = LineagePlace(started_at=page[-1].started_at, id=page[-1].id)
        assert found == expected
    behind = LineagePlace(started_at=entries[4].started_at, id=entries[4].id)
    children = await lineage.reader.children(root.id, limit=3, after=behind)
    assert [each.id for each in children] == [each.id for each in entries[5:8]]


async def test_an_execution_is_read_through_with_what_each_entry_came_from(lineage: Lineage) -> None:
    """By start, over several pages, nothing twice; an entry whose parent was dropped came from nowhere."""
    entries = chain(1203)
    orphan = entry(parent_id=uuid4(), started_at=START - timedelta(seconds=1))
    await lineage.record(*entries, orphan, entry(execution_id=uuid4()))
    found = [linked async for page in lineage.reader.linked(EXECUTION) for linked in page]
    assert [each.entry for each in found] == [orphan, *entries]
    assert [each.parent_stage_name for each in found[:3]] == [None, None, "markdown"]
    assert found[-1].parent_route_id == "ingest"
    assert [page async for page in lineage.reader.linked(uuid4())] == []


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


async def test_flushing_with_nothing_to_write_returns(lineage: Lineage) -> None:
    """At once."""
    await lineage.sink.flush()
