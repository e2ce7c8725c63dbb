"""What the S3 storage does beyond its port: parts, sidecars, and what it leaves in the bucket."""

from __future__ import annotations

import asyncio
import hashlib
import tracemalloc
from collections.abc import AsyncIterator
from typing import Any

import pytest

from adapters.s3 import sending
from adapters.s3.sending import S3ObjectTooLarge
from adapters.s3.storage import S3ObjectStorage
from adapters.s3.translation import S3ObjectCorrupt
from domain.json import JsonObject
from domain.storage import InvalidKey
from tests.s3_service import S3Service, fresh_s3_storage, s3_service

__all__ = ["s3_service"]

pytestmark = pytest.mark.slow

MIB = 1 << 20
PART = 5 * MIB
LONG: JsonObject = {"title": "日本語の長い題名 " * 200, "n": 1}


@pytest.fixture
async def storage(s3_service: S3Service) -> AsyncIterator[S3ObjectStorage]:
    async with fresh_s3_storage(s3_service, multipart_threshold=PART, part_size=PART) as opened:
        yield opened


def lying(service: S3Service, storage: S3ObjectStorage) -> list[str]:
    """All keys in the bucket, sidecars too, without the markers that opening leaves."""
    found = service.client.list_objects_v2(Bucket=storage.bucket).get("Contents", ())
    return [one["Key"] for one in found if ".factflow" not in one["Key"]]


def uploads(service: S3Service, storage: S3ObjectStorage) -> list[Any]:
    """The uploads in parts that are neither completed nor aborted."""
    return list(service.client.list_multipart_uploads(Bucket=storage.bucket).get("Uploads", ()))


async def large(size: int, chunk: int = 300_007) -> AsyncIterator[bytes]:
    """Made as it is asked for, never whole in memory."""
    for position in range(0, size, chunk):
        yield bytes([position % 251]) * min(chunk, size - position)


async def checksum_of(content: AsyncIterator[bytes]) -> str:
    digest = hashlib.sha256()
    async for chunk in content:
        digest.update(chunk)
    return digest.hexdigest()


async def test_a_large_stream_goes_and_comes_in_bounded_memory(
    storage: S3ObjectStorage, s3_service: S3Service
) -> None:
    """40 MiB in parts of 5, of which four and a copy or two are in memory; then in chunks of 1 MiB."""
    size = 40 * MIB
    tracemalloc.start()
    try:
        written = await storage.write("large.bin", large(size), content_type="x/y", metadata={"a": 1})
        writing = tracemalloc.get_traced_memory()[1]
        tracemalloc.reset_peak()
        read = await checksum_of(storage.stream("large.bin"))
        reading = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert written.size == size
    assert written.checksum == read == await checksum_of(large(size))
    assert await storage.head("large.bin") == written
    assert (writing < 32 * MIB, reading < 10 * MIB) == (True, True), (writing, reading)
    facts = s3_service.client.head_object(Bucket=storage.bucket, Key="large.bin")
    assert facts["ETag"].strip('"').endswith("-8")
    assert uploads(s3_service, storage) == []


async def test_bytes_above_the_threshold_go_in_parts(storage: S3ObjectStorage, s3_service: S3Service) -> None:
    whole = bytes(range(256)) * (12 * MIB // 256)
    written = await storage.write("large.bin", whole, metadata={"a": 1})
    assert await storage.fetch("large.bin") == (written, whole)
    assert written.checksum == hashlib.sha256(whole).hexdigest()
    start, end = PART - 3, 2 * PART + 3
    assert (
        b"".join([it async for it in storage.stream("large.bin", start=start, end=end)]) == whole[start:end]
    )


@pytest.mark.parametrize("bytes_until_it_breaks", [MIB, PART + MIB, 3 * PART])
async def test_a_stream_that_breaks_off_leaves_nothing_in_the_bucket(
    storage: S3ObjectStorage, s3_service: S3Service, bytes_until_it_breaks: int
) -> None:
    """Neither an object, nor a sidecar, nor parts."""

    async def breaking() -> AsyncIterator[bytes]:
        async for chunk in large(bytes_until_it_breaks):
            yield chunk
        raise RuntimeError("the line went dead")

    with pytest.raises(RuntimeError, match="line went dead"):
        await storage.write("a.bin", breaking())
    assert (lying(s3_service, storage), uploads(s3_service, storage)) == ([], [])


@pytest.mark.parametrize("parts_until_it_is_cancelled", [0, 1, 2, 3])
async def test_an_upload_that_is_cancelled_leaves_nothing_in_the_bucket(
    storage: S3ObjectStorage, s3_service: S3Service, parts_until_it_is_cancelled: int
) -> None:
    """Nor is anything of it still on its way when the cancellation is answered."""
    has_come = asyncio.Event()

    async def stuck() -> AsyncIterator[bytes]:
        yield b"x" * (PART + 1)
        for _ in range(parts_until_it_is_cancelled):
            yield b"x" * PART
        has_come.set()
        await asyncio.Event().wait()

    writing = asyncio.create_task(storage.write("a.bin", stuck()))
    await has_come.wait()
    writing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await writing
    assert (lying(s3_service, storage), uploads(s3_service, storage)) == ([], [])


async def test_closing_waits_for_what_is_cleared_away(s3_service: S3Service) -> None:
    """Even when whoever wrote did not."""
    async with fresh_s3_storage(s3_service, multipart_threshold=PART, part_size=PART) as kept:
        has_come = asyncio.Event()

        async def stuck() -> AsyncIterator[bytes]:
            yield b"x" * (3 * PART)
            has_come.set()
            await asyncio.Event().wait()

        async with s3_service.storage(kept.bucket, multipart_threshold=PART, part_size=PART) as storage:
            writing = asyncio.create_task(storage.write("a.bin", stuck()))
            await has_come.wait()
            for _ in range(3):
                writing.cancel()
                await asyncio.sleep(0)
        with pytest.raises(asyncio.CancelledError):
            await writing
        assert uploads(s3_service, kept) == []


async def test_a_content_of_too_many_parts_is_refused(
    storage: S3ObjectStorage, s3_service: S3Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rather than by the server, at the ten-thousandth; and nothing of it stays."""
    monkeypatch.setattr(sending, "MAX_PARTS", 2)
    with pytest.raises(S3ObjectTooLarge, match="at most 2 parts"):
        await storage.write("a.bin", large(2 * PART + 1))
    assert (lying(s3_service, storage), uploads(s3_service, storage)) == ([], [])


async def test_of_many_large_writers_if_absent_one_wins(
    storage: S3ObjectStorage, s3_service: S3Service
) -> None:
    """The others are told what it wrote, and leave neither parts nor sidecars."""
    answers = await asyncio.gather(
        *(
            storage.write("a.bin", large(PART + 1 + number), metadata={"by": number}, if_absent=True)
            for number in range(4)
        )
    )
    assert len({(answer.checksum, answer.modified_at) for answer in answers}) == 1
    stored = await storage.head("a.bin")
    assert stored.size == PART + 1 + int(str(stored.metadata["by"]))
    assert len(lying(s3_service, storage)) == 2
    assert uploads(s3_service, storage) == []


async def test_two_storages_agree_on_who_wrote_if_absent(
    storage: S3ObjectStorage, s3_service: S3Service
) -> None:
    """As two workers would."""
    async with s3_service.storage(storage.bucket) as other:
        for number in range(8):
            one, two = await asyncio.gather(
                storage.write(f"{number}.txt", b"one", metadata={"by": 1}, if_absent=True),
                other.write(f"{number}.txt", b"two", metadata={"by": 2}, if_absent=True),
            )
            assert one == two == await other.head(f"{number}.txt")


async def test_metadata_too_long_for_a_header_lie_in_a_sidecar(
    storage: S3ObjectStorage, s3_service: S3Service
) -> None:
    """Which is not listed, and goes with its object: when that is replaced, and when it is deleted."""
    key = "/".join(["d" * 200] * 4) + "/" + "é" * 100 + "/" + "f" * 19
    for name in ("a.md", key):
        written = await storage.write(name, b"x", content_type="text/markdown", metadata=LONG)
        assert written.metadata == LONG
        assert await storage.head(name) == written
        assert await storage.fetch(name) == (written, b"x")
        assert [stored async for stored in storage.list()] == [written]
        assert len(lying(s3_service, storage)) == 2
        again = await storage.write(name, b"y", metadata=LONG)
        assert await storage.head(name) == again
        assert len(lying(s3_service, storage)) == 2
        await storage.write(name, b"z", metadata={"short": True})
        assert lying(s3_service, storage) == [name]
        await storage.write(name, b"x", metadata=LONG, if_absent=True)
        assert lying(s3_service, storage) == [name]
        await storage.write(name, b"x", metadata=LONG)
        assert await storage.delete(name)
        assert lying(s3_service, storage) == []


async def test_an_object_that_lost_its_sidecar_can_be_read(
    storage: S3ObjectStorage, s3_service: S3Service
) -> None:
    """It has no checksum then, and no metadata."""
    await storage.write("a.md", b"x", content_type="text/markdown", metadata=LONG)
    (sidecar,) = [key for key in lying(s3_service, storage) if key != "a.md"]
    s3_service.client.delete_object(Bucket=storage.bucket, Key=sidecar)
    stored, content = await storage.fetch("a.md")
    assert (stored.content_type, stored.checksum, stored.metadata, content) == (
        "text/markdown",
        None,
        {},
        b"x",
    )
    assert await storage.head("a.md") == stored


async def test_headers_leave_metadata_as_they_are(storage: S3ObjectStorage) -> None:
    """Though signing joins spaces and servers decode RFC 2047."""
    titles = ["two  spaces   and more ", "=?utf-8?B?eA==?=", "\x7f\t\r\n", '"\\u0020"', "x" * 1_700, " "]
    for title in titles:
        written = await storage.write("a.md", b"x", content_type=" text/plain ", metadata={"title": title})
        assert await storage.head("a.md") == written
        assert (written.content_type, written.metadata) == (" text/plain ", {"title": title})


async def test_what_others_put_into_the_bucket_is_an_object(
    storage: S3ObjectStorage, s3_service: S3Service
) -> None:
    """With the type and the user metadata they gave it; what lies under a name that is no key is left alone."""
    put = s3_service.client.put_object
    put(Bucket=storage.bucket, Key="a.txt", Body=b"x", ContentType="text/plain", Metadata={"By": "hand"})
    put(Bucket=storage.bucket, Key="folder/", Body=b"")
    put(Bucket=storage.bucket, Key="a//b", Body=b"")
    (listed,) = [stored async for stored in storage.list()]
    assert (listed.key, listed.content_type, listed.metadata) == ("a.txt", "text/plain", {"by": "hand"})
    assert await storage.fetch("a.txt") == (listed, b"x")
    assert (await storage.head("a.txt")).checksum is None


@pytest.mark.parametrize("other", [b"wrong", b"truncated or more"])
async def test_a_content_that_is_not_what_was_written_is_refused(
    storage: S3ObjectStorage, s3_service: S3Service, other: bytes
) -> None:
    """By whoever reads all of it, whether it has another size or another checksum."""
    await storage.write("a.txt", b"right")
    facts = s3_service.client.head_object(Bucket=storage.bucket, Key="a.txt")
    s3_service.client.put_object(Bucket=storage.bucket, Key="a.txt", Body=other, Metadata=facts["Metadata"])
    with pytest.raises(S3ObjectCorrupt, match="not what was written"):
        await storage.read("a.txt")
    with pytest.raises(S3ObjectCorrupt):
        await storage.fetch("a.txt")
    with pytest.raises(S3ObjectCorrupt):
        assert [chunk async for chunk in storage.stream("a.txt")] != []
    assert ((await storage.head("a.txt")).checksum is None) is (len(other) != 5)


async def test_two_prefixes_of_one_bucket_are_two_storages(
    storage: S3ObjectStorage, s3_service: S3Service
) -> None:
    """And a key that does not fit below a prefix is refused."""
    async with s3_service.storage(storage.bucket, prefix="tenants/é") as below:
        await below.write("a.txt", b"x", metadata=LONG)
        await storage.write("b.txt", b"x")
        assert [stored.key async for stored in below.list()] == ["a.txt"]
        assert [stored.key async for stored in storage.list()] == ["b.txt", "tenants/é/a.txt"]
        long = "/".join("d" * 512)
        with pytest.raises(InvalidKey, match="with the prefix"):
            await below.write(long, b"x")
        with pytest.raises(InvalidKey):
            await below.head(long)
        assert [stored.key async for stored in below.list(long)] == []
        assert [stored.key async for stored in below.list(after=long)] == []
        assert await below.delete("a.txt")
    assert lying(s3_service, storage) == ["b.txt"]


@pytest.mark.soak
async def test_more_objects_than_one_answer_holds_are_listed(
    storage: S3ObjectStorage, s3_service: S3Service
) -> None:
    """2,100, each once and in order."""
    names = [f"many/{number:05}.txt" for number in range(2_100)]
    await asyncio.gather(*(storage.write(name, name.encode(), if_absent=True) for name in reversed(names)))
    assert [stored.key async for stored in storage.list("many/")] == names
    assert [stored.key async for stored in storage.list("", after=names[900])] == names[901:]
