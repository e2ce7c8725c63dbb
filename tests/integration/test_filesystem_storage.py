"""What the file storage does with folders that others have had their hands in, and with a failing disk."""

from __future__ import annotations

import asyncio
import json
import os
import resource
import shutil
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from adapters.filesystem.object_files import open_files
from adapters.filesystem.storage import FilesystemObjectStorage
from adapters.filesystem.translation import FileStorageObstructed, FileStorageUnavailable
from application.ports.readiness import Health
from domain.storage import ObjectNotFound


@pytest.fixture
async def storage(tmp_path: Path) -> AsyncIterator[FilesystemObjectStorage]:
    async with FilesystemObjectStorage(tmp_path / "root") as opened:
        yield opened


async def keys(storage: FilesystemObjectStorage) -> list[str]:
    return [stored.key async for stored in storage.list()]


async def test_objects_lie_where_their_keys_say(storage: FilesystemObjectStorage) -> None:
    """People find them with the ordinary tools, and the sidecar beside them."""
    await storage.write(
        "executions/1/r/stage/m.md", b"# A", content_type="text/markdown", metadata={"url": "u"}
    )
    path = storage.root / "executions/1/r/stage/m.md"
    assert path.read_bytes() == b"# A"
    sidecar = json.loads(path.with_name("m.md.meta.json").read_text())
    assert sidecar["key"] == "executions/1/r/stage/m.md"
    assert sidecar["content_type"] == "text/markdown"
    assert sidecar["metadata"] == {"url": "u"}


async def test_an_object_outlives_its_storage(storage: FilesystemObjectStorage) -> None:
    """It is found by the next process."""
    await storage.write("a/b.txt", b"x", metadata={"n": 1})
    async with FilesystemObjectStorage(storage.root) as later:
        assert (await later.head("a/b.txt")).metadata == {"n": 1}


async def test_two_storages_of_one_folder_do_not_disturb_each_other(storage: FilesystemObjectStorage) -> None:
    """Opening the second leaves alone what the first is just writing."""

    async def content() -> AsyncIterator[bytes]:
        yield b"x" * 2_000_000
        async with FilesystemObjectStorage(storage.root) as second:
            await second.write("b.txt", b"y")
        yield b"x"

    await storage.write("a.txt", content())
    assert await keys(storage) == ["a.txt", "b.txt"]
    assert (await storage.head("a.txt")).size == 2_000_001


async def test_many_storages_of_one_folder_can_be_opened_at_once(tmp_path: Path) -> None:
    """None takes another's drafts for abandoned; a stray file among them is left alone."""
    (tmp_path / ".incoming").mkdir()
    (tmp_path / ".incoming" / "stray").write_text("x")

    async def live(number: int) -> None:
        async with FilesystemObjectStorage(tmp_path) as storage:
            await storage.write(f"{number}.txt", b"x" * number)
            assert await storage.read(f"{number}.txt") == b"x" * number

    await asyncio.gather(*(live(number) for number in range(30)))
    assert [path.name for path in (tmp_path / ".incoming").iterdir()] == ["stray"]


@pytest.mark.parametrize(
    "broken", [b"", b"{", b"[1]", b"null", b'{"content_type": 3, "metadata": 4}', b"\xff", b"[" * 100_000]
)
async def test_an_object_with_a_broken_sidecar_can_be_read(
    storage: FilesystemObjectStorage, broken: bytes
) -> None:
    """Its content type is guessed."""
    await storage.write("a.md", b"# A", metadata={"n": 1})
    (storage.root / "a.md.meta.json").write_bytes(broken)
    stored = await storage.head("a.md")
    assert (stored.size, stored.content_type, stored.checksum, stored.metadata) == (
        3,
        "text/markdown",
        None,
        {},
    )
    assert await storage.read("a.md") == b"# A"


async def test_a_file_that_someone_put_there_is_an_object(storage: FilesystemObjectStorage) -> None:
    """With neither sidecar nor checksum."""
    (storage.root / "docs").mkdir()
    (storage.root / "docs" / "by-hand.pdf").write_bytes(b"%PDF")
    (storage.root / "docs" / "stranger").write_bytes(b"a name without a dot or a mark")
    (storage.root / "docs" / "dotted.folder").mkdir()
    (storage.root / os.fsdecode(b"\xff.txt")).write_bytes(b"not UTF-8")
    (storage.root / "e\u0301.txt").write_bytes(b"not NFC")
    assert await keys(storage) == ["docs/by-hand.pdf"]
    assert (await storage.head("docs/by-hand.pdf")).content_type == "application/pdf"


async def test_unknown_fields_of_a_sidecar_come_with_the_metadata(storage: FilesystemObjectStorage) -> None:
    """What a later version or a person added is not lost."""
    await storage.write("a.md", b"x", metadata={"n": 1})
    path = storage.root / "a.md.meta.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "reviewed_by": "me"}))
    assert (await storage.head("a.md")).metadata == {"reviewed_by": "me", "n": 1}


async def test_a_checksum_of_another_content_is_not_given(storage: FilesystemObjectStorage) -> None:
    """The file was changed behind the storage's back."""
    await storage.write("a.md", b"x")
    (storage.root / "a.md").write_bytes(b"longer")
    assert (await storage.head("a.md")).checksum is None


async def test_deleting_the_last_object_removes_its_folders(storage: FilesystemObjectStorage) -> None:
    """Up to the first that holds something else."""
    await storage.write("a/b/c/d.txt", b"x")
    await storage.write("a/e.txt", b"x")
    await storage.delete("a/b/c/d.txt")
    assert sorted(path.name for path in (storage.root / "a").iterdir()) == ["e.txt", "e.txt.meta.json"]
    await storage.delete("a/e.txt")
    assert [path.name for path in storage.root.iterdir()] == [".incoming"]


async def test_symbolic_links_lead_nowhere(storage: FilesystemObjectStorage, tmp_path: Path) -> None:
    """Neither a linked file nor what lies in a linked folder is read, listed, written or deleted."""
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "secret.txt").write_text("secret")
    (storage.root / "folder").symlink_to(outside, target_is_directory=True)
    (storage.root / "file.txt").symlink_to(outside / "secret.txt")
    for key in ("folder/secret.txt", "file.txt"):
        with pytest.raises(ObjectNotFound):
            await storage.read(key)
        with pytest.raises(ObjectNotFound):
            await storage.head(key)
        assert await storage.delete(key) is False
    with pytest.raises(FileStorageObstructed):
        await storage.write("folder/new.txt", b"x")
    await storage.write("file.txt", b"x")
    assert (storage.root / "file.txt").is_symlink() is False
    assert await keys(storage) == ["file.txt"]
    assert [stored.key async for stored in storage.list("folder/")] == []
    assert {path.name: path.read_text() for path in outside.iterdir()} == {"secret.txt": "secret"}


async def test_a_linked_sidecar_is_not_read(storage: FilesystemObjectStorage, tmp_path: Path) -> None:
    """Nor written through."""
    (tmp_path / "secret.json").write_text('{"metadata": {"secret": 1}}')
    (storage.root / "a.txt").write_bytes(b"x")
    (storage.root / "a.txt.meta.json").symlink_to(tmp_path / "secret.json")
    assert (await storage.head("a.txt")).metadata == {}
    await storage.write("a.txt", b"x", metadata={"n": 1})
    assert json.loads((tmp_path / "secret.json").read_text()) == {"metadata": {"secret": 1}}


async def test_a_pipe_in_the_folder_holds_up_no_one(storage: FilesystemObjectStorage) -> None:
    """What is not a regular file is not there."""
    os.mkfifo(storage.root / "pipe.txt")
    with pytest.raises(ObjectNotFound):
        await storage.read("pipe.txt")
    assert await keys(storage) == []


async def test_a_foreign_file_or_folder_in_the_way_is_told(storage: FilesystemObjectStorage) -> None:
    """Refused, since trying again does not help."""
    (storage.root / "a").write_text("a file where a folder belongs")
    (storage.root / "b.txt").mkdir()
    for key in ("a/x.txt", "b.txt"):
        with pytest.raises(FileStorageObstructed) as refused:
            await storage.write(key, b"x")
        assert isinstance(refused.value.__cause__, OSError)
        with pytest.raises(ObjectNotFound):
            await storage.read(key)


async def test_a_write_that_fails_spoils_no_other_of_its_group(storage: FilesystemObjectStorage) -> None:
    """Neither one whose folder cannot be, nor one whose place is taken."""
    (storage.root / "a").write_text("a file where a folder belongs")
    (storage.root / "b" / "3.txt").mkdir(parents=True)
    names = ["a/1.txt", "a/2.txt", *(f"b/{number}.txt" for number in range(1, 7))]
    results = await asyncio.gather(*(storage.write(name, b"x") for name in names), return_exceptions=True)
    failed = [name for name, result in zip(names, results, strict=True) if isinstance(result, Exception)]
    assert failed == ["a/1.txt", "a/2.txt", "b/3.txt"]
    assert await keys(storage) == ["b/1.txt", "b/2.txt", "b/4.txt", "b/5.txt", "b/6.txt"]
    assert [path for path in (storage.root / ".incoming").rglob("*") if path.is_file()] == []


async def test_of_small_objects_read_together_one_may_be_missing(storage: FilesystemObjectStorage) -> None:
    await storage.write("a.txt", b"x", metadata={"n": 1})
    missing, found = await asyncio.gather(
        storage.fetch("b.txt"), storage.fetch("a.txt"), return_exceptions=True
    )
    assert isinstance(missing, ObjectNotFound)
    assert not isinstance(found, BaseException)
    assert (found[0].metadata, found[1]) == ({"n": 1}, b"x")


@contextmanager
def files_no_larger_than(size: int) -> Iterator[None]:
    """What a full disk does to a writer."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


async def test_a_full_disk_is_unavailable_and_leaves_nothing(storage: FilesystemObjectStorage) -> None:
    """With the cause, no draft is left, and the storage works on."""

    async def pieces() -> AsyncIterator[bytes]:
        for _ in range(4):
            yield b"x" * 600_000

    with files_no_larger_than(1_000_000):
        for content in (b"x" * 2_000_000, pieces()):
            with pytest.raises(FileStorageUnavailable) as unavailable:
                await storage.write("a.bin", content)
            assert isinstance(unavailable.value.__cause__, OSError)
    assert [path for path in (storage.root / ".incoming").rglob("*") if path.is_file()] == []
    assert await keys(storage) == []
    await storage.write("a.bin", b"x")


def open_descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
async def test_no_descriptor_is_left_open(storage: FilesystemObjectStorage) -> None:
    """Neither by success nor by failure."""

    async def broken() -> AsyncIterator[bytes]:
        yield b"x" * 2_000_000
        raise RuntimeError

    async def round_trip() -> None:
        await storage.write("a/b.txt", b"x" * 3_000_000)
        await storage.write("a/b.txt", b"x", if_absent=True)
        async for _ in storage.stream("a/b.txt"):
            break
        await keys(storage)
        with pytest.raises(RuntimeError):
            await storage.write("c.txt", broken())
        with pytest.raises(ObjectNotFound):
            await storage.read("a/none.txt")
        await storage.delete("a/b.txt")

    await round_trip()
    before = open_descriptors()
    for _ in range(5):
        await round_trip()
    assert open_descriptors() <= before + 1


async def test_the_storage_answers_for_itself(storage: FilesystemObjectStorage) -> None:
    """Healthy while it can write, unhealthy when it cannot."""
    assert (await storage.check()).health is Health.HEALTHY
    await storage.__aexit__(None, None, None)
    assert (await storage.check()).health is Health.UNHEALTHY
    with pytest.raises(FileStorageUnavailable):
        await storage.read("a.txt")


@pytest.mark.skipif(shutil.which("lsattr") is None, reason="tells the flags of folders")
def test_folders_of_drafts_are_spread_over_the_disk() -> None:
    """Files are made there, and where others were deleted ext4 without a journal makes them slowly."""
    with TemporaryDirectory(dir="/var/tmp") as root:
        open_files(Path(root)).close()
        folder = str(Path(root) / ".incoming")
        told = subprocess.run(["lsattr", "-d", folder], capture_output=True, text=True, check=False).stdout
    flags = told.split(maxsplit=1)[0] if told else ""
    if "e" not in flags:
        pytest.skip("the folder is not on ext4")
    assert "T" in flags


async def test_a_root_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    """At opening, not at the first write."""
    (tmp_path / "file").write_text("x")
    with pytest.raises((FileStorageObstructed, FileStorageUnavailable)):
        async with FilesystemObjectStorage(tmp_path / "file" / "root"):
            pass
