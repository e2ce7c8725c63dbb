"""What every ``Documents`` does."""

from __future__ import annotations

import asyncio
from uuid import uuid4

import pytest

from adapters.memory.documents import MemoryDocuments
from adapters.postgres.documents import PostgresDocuments
from domain.document import DocumentNotFound
from domain.errors import Invalid
from tests.contracts.segment_indexes import Indexes, embedded, indexes, new_document

__all__ = ["MemoryDocuments", "PostgresDocuments", "indexes"]


async def test_a_document_is_current_when_its_last_segment_is_there(indexes: Indexes) -> None:
    """Until then there is none of that id."""
    opened = await indexes.opened("d", title="Title", metadata={"a": [1, None]}, object_key="k")
    with pytest.raises(DocumentNotFound):
        await indexes.documents.current("d")
    await indexes.segments.index(embedded(opened, "text"))
    current = await indexes.documents.current("d")
    assert (current.version, current.segments, current.title) == (1, 1, "Title")
    assert (current.metadata, current.object_key) == ({"a": [1, None]}, "k")
    assert current.indexed_at is not None


async def test_a_version_that_expects_nothing_is_current_at_once(indexes: Indexes) -> None:
    """And what was there before it is gone."""
    await indexes.indexed("d", "zebra")
    emptied = await indexes.opened("d", expected=0, fingerprint="empty")
    assert emptied.indexed_at is not None
    assert (await indexes.documents.current("d")).version == 2
    assert await indexes.found("zebra") == []
    assert await indexes.segments.slots() == {}


async def test_opening_the_same_again_is_the_same_version(indexes: Indexes) -> None:
    """By its fingerprint, before it is complete and after."""
    assert (await indexes.opened("d")).version == 1
    assert (await indexes.opened("d")).version == 1
    await indexes.indexed("d", "zebra")
    again = await indexes.opened("d")
    assert (again.version, again.indexed_at is not None) == (1, True)


async def test_another_execution_makes_a_current_version_anew(indexes: Indexes) -> None:
    """A replay does so; while a version is open, whoever comes helps to complete it."""
    first, second = uuid4(), uuid4()
    assert (await indexes.opened("d", execution_id=first)).version == 1
    assert (await indexes.opened("d", execution_id=second)).version == 1
    await indexes.segments.index(embedded(await indexes.opened("d", execution_id=second), "zebra"))
    assert (await indexes.opened("d", execution_id=first)).version == 1
    assert (await indexes.opened("d", execution_id=second)).version == 2
    assert (await indexes.opened("d", execution_id=second)).version == 2
    assert (await indexes.documents.current("d")).version == 1


async def test_another_fingerprint_is_the_next_version(indexes: Indexes) -> None:
    """Also when it is an earlier one come back, or the same with another number of segments."""
    versions = [
        (await indexes.opened("d", fingerprint=fingerprint, expected=expected)).version
        for fingerprint, expected in [("a", 1), ("b", 1), ("a", 1), ("a", 2)]
    ]
    assert versions == [1, 2, 3, 4]


async def test_version_numbers_go_on_after_a_removal(indexes: Indexes) -> None:
    """So a removed version is never taken for a later one."""
    await indexes.indexed("d", "zebra")
    await indexes.documents.remove("d")
    assert (await indexes.opened("d")).version == 2


async def test_versions_opened_at_once_have_numbers_of_their_own(indexes: Indexes) -> None:
    """The same fingerprint gives one number however often, others one each."""
    async with asyncio.timeout(20):
        different = await asyncio.gather(*(indexes.opened("d", fingerprint=f"f{n}") for n in range(10)))
        same = await asyncio.gather(*(indexes.opened("e") for _ in range(10)))
    assert sorted(document.version for document in different) == list(range(1, 11))
    assert {document.version for document in same} == {1}


async def test_removing_takes_all_of_a_document(indexes: Indexes) -> None:
    """Once; again there is nothing to take."""
    await indexes.indexed("d", "zebra one", "zebra two")
    (other,) = await indexes.indexed("e", "zebra three")
    assert await indexes.documents.remove("d")
    assert not await indexes.documents.remove("d")
    assert not await indexes.documents.remove("never")
    assert await indexes.found("zebra") == [other.id]
    assert await indexes.segments.origins() == {"shelf": 1}
    with pytest.raises(DocumentNotFound):
        await indexes.documents.current("d")


async def test_a_version_on_its_way_can_be_removed(indexes: Indexes) -> None:
    """There was a document, even if no reader saw it."""
    opened = await indexes.opened("d")
    assert await indexes.documents.remove("d")
    await indexes.segments.index(embedded(opened, "zebra"))
    assert await indexes.found("zebra") == []


async def test_documents_are_listed_by_id(indexes: Indexes) -> None:
    """A page at a time, of one origin or all; code points decide the order."""
    for document_id in ("b", "B", "ä", "a"):
        await indexes.indexed(document_id, "zebra")
    await indexes.indexed("c", "zebra", origin="attic")
    await indexes.opened("open")
    page, total = await indexes.documents.list(limit=2, offset=1)
    assert ([document.document_id for document in page], total) == (["a", "b"], 5)
    page, total = await indexes.documents.list(origin="attic", limit=10)
    assert ([document.document_id for document in page], total) == (["c"], 1)
    assert await indexes.documents.list(limit=10, offset=99) == ([], 5)
    page, total = await indexes.documents.list(limit=2, after="aa")
    assert ([document.document_id for document in page], total) == (["b", "c"], 5)
    page, _ = await indexes.documents.list(origin="shelf", limit=2, offset=1, after="B")
    assert [document.document_id for document in page] == ["b", "ä"]
    assert await indexes.documents.ids("shelf") == ["B", "a", "b", "ä"]
    assert await indexes.documents.ids("nowhere") == []


@pytest.mark.parametrize(("document_id", "expected"), [("", 1), ("d", -1), ("d", 2**31)])
async def test_what_cannot_be_a_version_is_refused(indexes: Indexes, document_id: str, expected: int) -> None:
    """A document needs an id, a version a number of segments."""
    with pytest.raises(Invalid):
        await indexes.documents.begin(new_document(document_id), expected=expected)


async def test_removing_while_segments_arrive_leaves_nothing_half_done(indexes: Indexes) -> None:
    """Whichever comes first, what is found is what is current."""
    for number in range(6):
        opened = await indexes.opened("d", expected=2, fingerprint=str(number))
        batches = [[segment] for segment in embedded(opened, "zebra one", "zebra two")]
        async with asyncio.timeout(20):
            await asyncio.gather(
                *(indexes.segments.index(batch) for batch in batches), indexes.documents.remove("d")
            )
        assert await indexes.found("zebra") == []


async def test_segments_are_listed_as_they_follow_each_other(indexes: Indexes) -> None:
    """Those of the current version only, a page at a time."""
    await indexes.indexed("d", "old one", "old two", fingerprint="old")
    lineage_id = uuid4()
    opened = await indexes.opened("d", expected=3, object_key="k")
    with_lineage = embedded(opened, "zebra", "ant", "moose", lineage_id=lineage_id)
    await indexes.segments.index(with_lineage)
    page, total = await indexes.documents.segments("d", limit=2)
    assert ([one.segment.text for one in page], total) == (["zebra", "ant"], 3)
    assert {(one.document.version, one.document.object_key, one.lineage_id) for one in page} == {
        (2, "k", lineage_id)
    }
    page, _ = await indexes.documents.segments("d", limit=10, offset=2)
    assert [(one.id, one.segment.ordinal) for one in page] == [(with_lineage[2].id, 2)]
    with pytest.raises(DocumentNotFound):
        await indexes.documents.segments("never", limit=1)
