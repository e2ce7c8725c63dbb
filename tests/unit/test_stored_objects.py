"""Looking through stored objects, and who may write where."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.memory.storage import MemoryObjectStorage
from adapters.memory.uploads import MemoryUploads
from adapters.system.clock import SystemClock
from adapters.system.id_source import SystemIdSource
from application.object_listing import InvalidCursor, InvalidObjectQuery, ObjectPage, ObjectQuery
from application.stored_objects import KeyNotWritable, StoredObjects
from application.uploading import Uploading
from domain.storage import InvalidKey, ObjectNotFound

KEYS = [
    "executions/1/ingest/markdown/a.md",
    "executions/1/ingest/markdown/b.json",
    "executions/1/ingest/raw/a.HTML",
    "executions/2/ingest/raw/a.html",
    "executions/top.md",
    "uploads/x.md",
    "uploads/y/z.md",
]


async def filled(keys: Sequence[str] = KEYS) -> StoredObjects:
    storage = MemoryObjectStorage()
    for key in keys:
        parts = key.split("/")
        metadata = (
            {"route_id": parts[2], "stage": parts[3], "correlation_id": "c-" + parts[1]}
            if len(parts) > 4
            else {}
        )
        await storage.write(key, key.encode(), metadata=metadata)
    return StoredObjects(storage=storage, uploading=uploading_into(storage))


def uploading_into(storage: MemoryObjectStorage) -> Uploading:
    return Uploading(storage=storage, uploads=MemoryUploads(), clock=SystemClock(), ids=SystemIdSource())


def names(page: ObjectPage) -> list[str]:
    return [stored.key for stored in page.objects]


async def test_objects_are_listed_by_key() -> None:
    """With their number."""
    page = await (await filled()).list(ObjectQuery())
    assert (names(page), page.common_prefixes) == (KEYS, [])
    assert (page.total, page.is_total_exact, page.has_more, page.next_cursor) == (7, True, False, None)


async def test_a_delimiter_sums_up_what_lies_below() -> None:
    """Level by level, beside the objects of the level itself."""
    objects = await filled()
    top = await objects.list(ObjectQuery(delimiter="/"))
    assert (names(top), top.common_prefixes, top.total) == ([], ["executions/", "uploads/"], 2)
    below = await objects.list(ObjectQuery(prefix="executions/", delimiter="/"))
    assert names(below) == ["executions/top.md"]
    assert below.common_prefixes == ["executions/1/", "executions/2/"]
    part = await objects.list(ObjectQuery(prefix="exec", delimiter="/"))
    assert part.common_prefixes == ["executions/"]


@pytest.mark.parametrize("extensions", [(".md", ".json"), ("MD", "json"), (" .Md", ".JSON ")])
async def test_objects_are_listed_by_extension(extensions: Sequence[str]) -> None:
    """In any case, with the dot or without."""
    page = await (await filled()).list(ObjectQuery(prefix="executions/", extensions=extensions))
    assert names(page) == [KEYS[0], KEYS[1], KEYS[4]]


async def test_objects_are_listed_by_their_metadata() -> None:
    """Correlation id, stage and route, alone and together."""
    objects = await filled()
    assert names(await objects.list(ObjectQuery(stage="raw"))) == [KEYS[2], KEYS[3]]
    assert names(await objects.list(ObjectQuery(stage="raw", correlation_id="c-2"))) == [KEYS[3]]
    assert names(await objects.list(ObjectQuery(route_id="ingest", extensions=("md",)))) == [KEYS[0]]
    assert names(await objects.list(ObjectQuery(route_id="other"))) == []


@given(
    st.lists(
        st.sampled_from(["a", "a/b", "a/b/c", "a-b", "b/a", "b/b", "b/c/d", "c", "a/b.md", "z/z"]),
        unique=True,
    ),
    st.sampled_from([None, "/", "b", "-"]),
    st.sampled_from(["", "a", "a/", "b"]),
    st.integers(min_value=1, max_value=4),
)
async def test_pages_by_offset_and_by_cursor_make_up_the_whole(
    keys: Sequence[str], delimiter: str | None, prefix: str, limit: int
) -> None:
    """Each object and prefix comes once, whichever way the pages are turned."""
    objects = await filled(keys)
    whole = await objects.list(ObjectQuery(prefix=prefix, delimiter=delimiter, limit=1000))
    for by_cursor in (True, False):
        found: list[str] = []
        prefixes: list[str] = []
        query = ObjectQuery(prefix=prefix, delimiter=delimiter, limit=limit)
        while True:
            page = await objects.list(query)
            found += names(page)
            prefixes += page.common_prefixes
            assert len(page.objects) + len(page.common_prefixes) <= limit
            if not page.has_more:
                break
            query = ObjectQuery(
                prefix=prefix,
                delimiter=delimiter,
                limit=limit,
                cursor=page.next_cursor if by_cursor else None,
                offset=0 if by_cursor else query.offset + limit,
            )
        assert (found, prefixes) == (names(whole), list(whole.common_prefixes))


async def test_keys_with_the_last_character_of_all_do_not_go_round_in_circles() -> None:
    """A common prefix is left behind even where a key sorts after all that should lie below it."""
    objects = await filled(["a/\U0010ffffx", "a/b", "b"])
    page = await objects.list(ObjectQuery(delimiter="/"))
    assert (page.common_prefixes, names(page)) == (["a/"], ["b"])


async def test_a_total_over_ten_thousand_is_not_exact() -> None:
    """It says only that there are more."""
    objects = await filled([f"k/{number:05}" for number in range(10_050)])
    page = await objects.list(ObjectQuery(limit=5))
    assert (page.total, page.is_total_exact, page.has_more) == (10_001, False, True)
    last = await objects.list(ObjectQuery(limit=5, offset=10_047))
    assert (len(last.objects), last.total, last.is_total_exact, last.has_more) == (3, 10_050, True, False)


@pytest.mark.parametrize("cursor", ["*", "a", "å", "/w==", "\ud800"])
async def test_an_invented_cursor_is_refused(cursor: str) -> None:
    """Rather than taken for the beginning."""
    with pytest.raises(InvalidCursor):
        await (await filled()).list(ObjectQuery(cursor=cursor))


def test_an_impossible_query_is_refused() -> None:
    """Before anyone is asked."""
    with pytest.raises(InvalidObjectQuery):
        ObjectQuery(limit=-1)
    with pytest.raises(InvalidObjectQuery):
        ObjectQuery(offset=-1)
    with pytest.raises(InvalidObjectQuery):
        ObjectQuery(delimiter="")


async def test_uploads_are_put_read_and_deleted() -> None:
    """Whole, by range, and gone."""
    objects = await filled()
    put = await objects.put(
        "uploads/new.txt", b"0123456789", content_type="text/plain", metadata={"title": "New"}
    )
    assert await objects.head("uploads/new.txt") == put
    assert await objects.read("uploads/new.txt") == b"0123456789"
    assert b"".join([chunk async for chunk in objects.stream("uploads/new.txt", start=2, end=5)]) == b"234"
    await objects.delete("uploads/new.txt")
    with pytest.raises(ObjectNotFound):
        await objects.delete("uploads/new.txt")


@pytest.mark.parametrize(
    "key", ["executions/1/r/s/m.md", "archives/1.zip", "uploads", "uploadsx/a", "Uploads/a"]
)
async def test_only_uploads_can_be_written_and_deleted(key: str) -> None:
    """What executions kept is the source of replays."""
    objects = await filled()
    with pytest.raises(KeyNotWritable):
        await objects.put(key, b"x")
    with pytest.raises(KeyNotWritable):
        await objects.delete(key)


async def test_no_key_leads_out_of_the_uploads() -> None:
    """Such a key is not allowed at all."""
    objects = await filled()
    for key in ("uploads/../executions/1/a", "uploads//../x", "uploads/./x", "/uploads/x"):
        with pytest.raises(InvalidKey):
            await objects.put(key, b"x")
