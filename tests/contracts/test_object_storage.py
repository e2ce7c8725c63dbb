"""The behaviour that ``application.ports.object_storage`` promises, for every backend."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import UTC, datetime, timedelta
from itertools import product
from pathlib import Path

import pytest

from adapters.filesystem.storage import FilesystemObjectStorage
from adapters.memory.storage import MemoryObjectStorage
from adapters.s3.storage import S3ObjectStorage
from application.ports.object_storage import ObjectStorage
from domain.json import JsonObject
from domain.storage import InvalidKey, InvalidObjectDescription, ObjectNotFound
from tests.s3_service import S3Service, empty_bucket, s3_service, s3_storage

__all__ = ["s3_service", "s3_storage"]

Opened = AbstractAsyncContextManager[ObjectStorage]


@asynccontextmanager
async def memory(request: pytest.FixtureRequest, folder: Path) -> AsyncIterator[ObjectStorage]:
    yield MemoryObjectStorage()


@asynccontextmanager
async def filesystem(request: pytest.FixtureRequest, folder: Path) -> AsyncIterator[ObjectStorage]:
    async with FilesystemObjectStorage(folder / "objects") as storage:
        yield storage


@asynccontextmanager
async def s3(request: pytest.FixtureRequest, folder: Path) -> AsyncIterator[ObjectStorage]:
    service: S3Service = request.getfixturevalue("s3_service")
    if "in_order" in request.fixturenames and not service.lists_in_order:
        pytest.skip("this S3 server keeps keys as paths, and lists them in the order of those")
    shared: S3ObjectStorage = request.getfixturevalue("s3_storage")
    yield shared
    await asyncio.to_thread(empty_bucket, service, shared.bucket)


BACKENDS: dict[str, Callable[[pytest.FixtureRequest, Path], Opened]] = {
    "memory": memory,
    "filesystem": filesystem,
    "s3": s3,
}


SPARING = {"s3": 11}
"""Where a list is many requests, one in so many pairs of prefix and key is tried."""


@pytest.fixture(params=["memory", "filesystem", pytest.param("s3", marks=pytest.mark.slow)])
def kind(request: pytest.FixtureRequest) -> str:
    """The backend's name."""
    return str(request.param)


@pytest.fixture
async def storage(kind: str, request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[ObjectStorage]:
    async with BACKENDS[kind](request, tmp_path) as opened:
        yield opened


async def keys(storage: ObjectStorage, prefix: str = "", *, after: str = "") -> list[str]:
    return [stored.key async for stored in storage.list(prefix, after=after)]


async def pieces(*contents: bytes) -> AsyncIterator[bytes]:
    for content in contents:
        yield content


async def test_what_is_written_is_read(storage: ObjectStorage) -> None:
    """Content, size, checksum, type, time and metadata."""
    metadata: JsonObject = {
        "title": "Ångström 🎈",
        "n": 1,
        "nested": {"list": [1, 2.5, None, True]},
        "quote": 'a"\\\n',
    }
    before = datetime.now(UTC) - timedelta(seconds=2)
    written = await storage.write("a/b.md", b"# Hello", content_type="text/markdown", metadata=metadata)
    assert await storage.read("a/b.md") == b"# Hello"
    assert (written.key, written.size, written.content_type) == ("a/b.md", 7, "text/markdown")
    assert written.checksum == hashlib.sha256(b"# Hello").hexdigest()
    assert written.metadata == metadata
    assert before < written.modified_at < datetime.now(UTC) + timedelta(seconds=2)
    assert await storage.head("a/b.md") == written
    assert await storage.fetch("a/b.md") == (written, b"# Hello")


async def test_an_object_may_be_empty(storage: ObjectStorage) -> None:
    """Whether it comes whole or in pieces."""
    await storage.write("empty.txt", b"")
    await storage.write("stream.txt", pieces())
    for key in ("empty.txt", "stream.txt"):
        assert await storage.read(key) == b""
        assert (await storage.head(key)).size == 0
        assert [chunk async for chunk in storage.stream(key)] == []


async def test_a_stream_is_stored_whole(storage: ObjectStorage) -> None:
    """Three megabytes in uneven chunks."""
    chunks = [bytes([number % 251]) * (number * 37 % 50_000) for number in range(130)]
    whole = b"".join(chunks)
    written = await storage.write("large.bin", pieces(*chunks), metadata={"a": 1})
    assert (written.size, written.checksum) == (len(whole), hashlib.sha256(whole).hexdigest())
    assert await storage.read("large.bin") == whole
    assert b"".join([chunk async for chunk in storage.stream("large.bin")]) == whole


@pytest.mark.parametrize(
    ("start", "end"),
    [(0, 10), (5, 5), (0, None), (1_500_000, None), (1_048_575, 1_048_577), (2_999_999, 4_000_000), (3_000_000, None), (9_000_000, 9_000_001)],
)  # fmt: skip
async def test_a_range_of_the_content_is_streamed(
    storage: ObjectStorage, start: int, end: int | None
) -> None:
    """From a byte up to another; what lies past the end is nothing."""
    whole = bytes(range(250)) * 12_000
    await storage.write("ranges.bin", whole)
    assert (
        b"".join([chunk async for chunk in storage.stream("ranges.bin", start=start, end=end)])
        == whole[start:end]
    )


async def test_writing_again_replaces_all(storage: ObjectStorage) -> None:
    """Content, type and metadata; nothing of the former remains."""
    await storage.write("a.txt", b"first, and longer", content_type="text/plain", metadata={"first": True})
    await storage.write("a.txt", b"second", metadata={"second": True})
    stored = await storage.head("a.txt")
    assert await storage.read("a.txt") == b"second"
    assert stored.checksum == hashlib.sha256(b"second").hexdigest()
    assert (stored.size, stored.content_type, stored.metadata) == (
        6,
        "application/octet-stream",
        {"second": True},
    )
    assert await keys(storage) == ["a.txt"]


async def test_if_absent_keeps_what_is_there(storage: ObjectStorage) -> None:
    """And describes it, for a whole content and for a stream."""
    first = await storage.write("a.txt", b"first", metadata={"by": 1}, if_absent=True)
    assert await storage.write("a.txt", b"second", metadata={"by": 2}, if_absent=True) == first
    assert await storage.write("a.txt", pieces(b"third"), metadata={"by": 3}, if_absent=True) == first
    assert await storage.read("a.txt") == b"first"
    assert await storage.head("a.txt") == first


async def test_of_many_writers_if_absent_one_wins(storage: ObjectStorage) -> None:
    """All are told the same, and content and metadata are of one writer."""
    answers = await asyncio.gather(
        *(
            storage.write("race.txt", b"x" * number, metadata={"by": number}, if_absent=True)
            for number in range(1, 25)
        )
    )
    stored = await storage.head("race.txt")
    assert stored.metadata["by"] == stored.size == len(await storage.read("race.txt"))
    assert {answer.checksum for answer in answers} == {stored.checksum}


async def test_many_objects_written_together_are_all_there(storage: ObjectStorage) -> None:
    """In several folders, some of them twice, and read together."""
    names = [f"{number % 5}/{number % 40}.txt" for number in range(80)]
    await asyncio.gather(
        *(storage.write(name, name.encode(), metadata={"name": name}, if_absent=True) for name in names)
    )
    for (stored, content), name in zip(await asyncio.gather(*map(storage.fetch, names)), names, strict=True):
        assert content.decode() == stored.metadata["name"] == stored.key == name
    assert len(await keys(storage)) == 40


async def test_writers_of_one_key_leave_one_whole_object(storage: ObjectStorage) -> None:
    """Its metadata are those of its content."""
    for turn in range(5):
        await asyncio.gather(
            *(storage.write("race.txt", b"x" * n, metadata={"by": n, "turn": turn}) for n in range(1, 12))
        )
        stored = await storage.head("race.txt")
        assert stored.metadata["by"] == stored.size == len(await storage.read("race.txt"))
        assert stored.checksum == hashlib.sha256(await storage.read("race.txt")).hexdigest()


async def test_a_reader_beside_writers_sees_a_whole_object(storage: ObjectStorage) -> None:
    """Never a part, never none."""
    await storage.write("shared.bin", b"0" * 200_000)
    is_over = False

    async def write() -> None:
        for number in range(1, 25):
            await storage.write("shared.bin", str(number % 10).encode() * 200_000)

    async def read() -> None:
        while not is_over:
            content = await storage.read("shared.bin")
            assert len(content) == 200_000
            assert len(set(content)) == 1
            await asyncio.sleep(0)

    reader = asyncio.create_task(read())
    writers = [asyncio.create_task(write()) for _ in range(3)]
    await asyncio.gather(*writers)
    is_over = True
    await reader


async def test_a_stream_that_breaks_off_stores_nothing(storage: ObjectStorage) -> None:
    """What was there before stays."""

    async def breaking() -> AsyncIterator[bytes]:
        yield b"x" * 2_000_000
        raise RuntimeError("the line went dead")

    with pytest.raises(RuntimeError, match="line went dead"):
        await storage.write("a.bin", breaking())
    assert await keys(storage) == []
    await storage.write("a.bin", b"kept")
    with pytest.raises(RuntimeError):
        await storage.write("a.bin", breaking())
    assert await storage.read("a.bin") == b"kept"


async def test_a_write_that_is_cancelled_stores_all_or_nothing(storage: ObjectStorage) -> None:
    """And the next one is not disturbed."""
    whole = b"y" * 3_000_000

    async def slow() -> AsyncIterator[bytes]:
        for _ in range(3):
            yield whole[:1_000_000]
            await asyncio.sleep(0)

    for turns in range(12):
        writing = asyncio.create_task(storage.write("a.bin", slow()))
        for _ in range(turns * 2):
            await asyncio.sleep(0.0005)
        writing.cancel()
        await asyncio.gather(writing, return_exceptions=True)
        if await keys(storage):
            assert await storage.read("a.bin") == whole
    await storage.write("a.bin", b"z")
    assert await storage.read("a.bin") == b"z"


async def test_a_stream_left_early_ends(storage: ObjectStorage) -> None:
    """The rest is not read, the object can be deleted."""
    await storage.write("a.bin", b"x" * 3_000_000)
    stream = storage.stream("a.bin")
    first = await anext(stream)
    assert 0 < len(first) < 3_000_000
    await stream.aclose()  # type: ignore[attr-defined]  # the port promises an iterator; all backends have generators
    assert await storage.delete("a.bin")


async def test_what_is_not_there_is_not_found(storage: ObjectStorage) -> None:
    """Neither by its own key nor as a folder or an extension of another's."""
    await storage.write("folder/object.txt", b"x")
    for key in (
        "none.txt",
        "folder",
        "folder/object",
        "folder/object.txt/x",
        "folder/none.txt",
        "none/none/none",
    ):
        with pytest.raises(ObjectNotFound):
            await storage.read(key)
        with pytest.raises(ObjectNotFound):
            await storage.head(key)
        with pytest.raises(ObjectNotFound):
            await storage.fetch(key)
        with pytest.raises(ObjectNotFound):
            await anext(storage.stream(key))
        assert await storage.delete(key) is False


async def test_deleting_removes_the_object_and_its_metadata(storage: ObjectStorage) -> None:
    """Once; an object written anew knows nothing of the former."""
    await storage.write("a/b/c.txt", b"x", content_type="text/plain", metadata={"old": True})
    assert await storage.delete("a/b/c.txt") is True
    assert await storage.delete("a/b/c.txt") is False
    assert await keys(storage) == []
    assert (await storage.write("a/b/c.txt", b"y")).metadata == {}


async def test_writers_beside_deleters_of_one_folder_do_not_fail(storage: ObjectStorage) -> None:
    """Though the folder comes and goes with its objects."""

    async def churn(name: str) -> None:
        for _ in range(15):
            await storage.write(f"deep/er/{name}", b"x")
            assert await storage.read(f"deep/er/{name}") == b"x"
            assert await storage.delete(f"deep/er/{name}") is True

    await asyncio.gather(*(churn(f"{number}.txt") for number in range(6)))
    assert await keys(storage) == []


@pytest.fixture
def in_order() -> None:
    """Asked for by tests of the order among keys of which one is the folder of another."""


SORTED = sorted(
    """a|a-b|a-b/c.md|a/b|a/b/c|a/b.md|a/b.md/d|a.md|a0|a b|a/-|a%f|a%d/x|a%f/x|a.meta.json/x|a+|a~|z.%d|A|æ/ø.md|æ.md|
日本/語|🎈.txt|ﬁ/x|%25|.incoming|.hidden/x|.a.md|a..b|...|a/...|a#b?c=d&e|a:b|COM1|trailing | leading|a/ /b""".replace(
        "\n", ""
    ).split("|")
)


async def test_objects_are_listed_in_the_order_of_code_points(in_order: None, storage: ObjectStorage) -> None:
    """Whatever stands beside a slash, and also where one key is the folder of another."""
    for key in reversed(SORTED):
        await storage.write(key, key.encode(), metadata={"key": key})
    assert await keys(storage) == SORTED
    for key in SORTED:
        assert await storage.read(key) == key.encode()
        assert (await storage.head(key)).metadata == {"key": key}


async def test_a_list_begins_with_a_prefix_and_after_a_key(
    in_order: None, storage: ObjectStorage, kind: str
) -> None:
    """Any text will do for either."""
    for key in SORTED:
        await storage.write(key, b"")
    texts = [
        "",
        "a",
        "a/",
        "a/b",
        "a/b/",
        "a-",
        "a.",
        "b",
        "æ",
        "/",
        "//",
        "a//",
        "../",
        "a/../",
        "z",
        "🎈.txt",
        "\x00",
    ]
    prefixes = [*texts, "a.meta.json/", "a%", "\ud800", "e\u0301/"]
    afters = [*texts, *SORTED[::5], "a/b.md/zzz", "\ud800", "\U0010ffff"]
    for prefix, after in list(product(prefixes, afters))[:: SPARING.get(kind, 1)]:
        expected = [key for key in SORTED if key.startswith(prefix) and key > after]
        assert await keys(storage, prefix, after=after) == expected, (prefix, after)


async def test_a_long_list_comes_to_its_end(storage: ObjectStorage) -> None:
    """Whole, with descriptions, and each object once; stopping early is allowed."""
    for number in range(300):
        await storage.write(f"many/{number:04}.txt", b"x" * number, metadata={"n": number})
    listed = [stored async for stored in storage.list("many/")]
    assert [stored.metadata["n"] for stored in listed] == list(range(300))
    assert [stored.size for stored in listed] == list(range(300))
    async for stored in storage.list("many/", after="many/0100.txt"):
        assert stored.key == "many/0101.txt"
        break


async def test_keys_up_to_the_limits_are_allowed(storage: ObjectStorage) -> None:
    """Parts of 200 bytes, a key of 1,024, and a deep one."""
    long = [
        "p" * 200,
        "é" * 100,
        "%" * 200,
        "." + "q" * 199,
        "/".join(["x" * 200] * 5) + "/" + "y" * 19,
        "/".join("d" * 512),
    ]
    for key in long:
        await storage.write(key, b"x", metadata={"a": 1})
        assert (await storage.head(key)).metadata == {"a": 1}
    assert await keys(storage) == sorted(long)
    for key in long:
        assert await storage.delete(key)


HOSTILE = [
    "", "/", "/etc/passwd", "../x", "a/../../x", "a/..", "..", ".", "a/./b", "a//b", "a/", "\\x", "a\\..\\b", "C:\\x",
    "a\x00b", "a\nb", "a\x7fb", "a\x85b", "e\u0301.txt", "\ud800", "a.meta.json", "a/b.meta.json", "p" * 201, "é" * 101,
    "/".join(["x" * 200] * 5) + "/" + "y" * 20,
]  # fmt: skip


@pytest.mark.parametrize("key", HOSTILE)
async def test_every_method_refuses_a_hostile_key(storage: ObjectStorage, key: str) -> None:
    """With InvalidKey, and nothing is written."""
    with pytest.raises(InvalidKey):
        await storage.write(key, b"x")
    with pytest.raises(InvalidKey):
        await storage.write(key, pieces(b"x"), if_absent=True)
    with pytest.raises(InvalidKey):
        await storage.read(key)
    with pytest.raises(InvalidKey):
        await storage.head(key)
    with pytest.raises(InvalidKey):
        await storage.delete(key)
    with pytest.raises(InvalidKey):
        await anext(storage.stream(key))
    assert await keys(storage) == []


@pytest.mark.parametrize(
    ("content_type", "metadata"),
    [
        ("", {}),
        ("text/plain\r\nX-Evil: 1", {}),
        ("text/plæin", {}),
        ("x" * 256, {}),
        ("text/plain", {"a": float("nan")}),
        ("text/plain", {"a": float("inf")}),
        ("text/plain", {"a": object()}),
        ("text/plain", {"a": "\ud800"}),
    ],
)
async def test_a_description_that_cannot_be_stored_is_refused(
    storage: ObjectStorage, content_type: str, metadata: dict
) -> None:
    """With InvalidObjectDescription, and nothing is written."""
    with pytest.raises(InvalidObjectDescription):
        await storage.write("a.txt", b"x", content_type=content_type, metadata=metadata)
    assert await keys(storage) == []


async def test_metadata_is_the_storages_own(storage: ObjectStorage) -> None:
    """Changing what was given, or what was answered, changes nothing that is stored."""
    metadata = {"list": [1]}
    await storage.write("a.txt", b"x", metadata=metadata)
    metadata["list"].append(2)
    assert (await storage.head("a.txt")).metadata == {"list": [1]}
