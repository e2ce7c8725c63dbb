"""Archives from asking for one to its end, over storages and deaths."""

from __future__ import annotations

import asyncio
import io
import json
import tracemalloc
import zipfile
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from adapters.filesystem.storage import FilesystemObjectStorage
from adapters.memory.archives import MemoryArchives
from adapters.memory.storage import MemoryObjectStorage
from adapters.system.clock import SystemClock
from application.archives.archive_worker import ArchiveSettings, ArchiveWorker
from application.archives.packing import Packing
from application.ports.object_storage import ObjectStorage
from domain.archive import Archive, ArchiveStatus, InvalidSelection, ObjectSelection
from domain.errors import Unavailable
from domain.storage import StoredObject

EXECUTION = uuid4()
BASE = f"executions/{EXECUTION}/"
QUICK = ArchiveSettings(poll_seconds=0.02, beat_seconds=0.005)


@dataclass
class HeldStorage(MemoryObjectStorage):
    """Reads nothing until the gate opens, and tells that somebody waits."""

    gate: asyncio.Event = field(default_factory=asyncio.Event)
    reached: asyncio.Event = field(default_factory=asyncio.Event)
    left: asyncio.Event = field(default_factory=asyncio.Event)
    error: Exception | None = None

    def __post_init__(self) -> None:
        MemoryObjectStorage.__init__(self)

    async def stream(self, key: str, *, start: int = 0, end: int | None = None) -> AsyncIterator[bytes]:
        self.reached.set()
        try:
            await self.gate.wait()
        finally:
            self.left.set()
        if self.error is not None:
            raise self.error
        async for chunk in super().stream(key, start=start, end=end):
            yield chunk


def worker(
    archives: MemoryArchives, storage: ObjectStorage, settings: ArchiveSettings = QUICK
) -> ArchiveWorker:
    return ArchiveWorker(archives=archives, storage=storage, clock=SystemClock(), settings=settings)


async def asked(archives: MemoryArchives, **fields: Any) -> Archive:
    """An archive of all that the execution kept."""
    given: dict[str, Any] = {"selection": ObjectSelection(execution_id=EXECUTION), "total": 2} | fields
    archive = Archive(id=uuid4(), filename="all.zip", created_at=SystemClock().now(), **given)
    await archives.add(archive)
    return archive


async def filled(storage: ObjectStorage) -> None:
    await storage.write(
        BASE + "read/markdown/1.md", b"# One", content_type="text/markdown", metadata={"title": "One"}
    )
    await storage.write(BASE + "cut/segments/2.json", b"[]")
    await storage.write(f"executions/{uuid4()}/read/markdown/3.md", b"another's")


async def until(
    archives: MemoryArchives, archive: Archive, wanted: Callable[[Archive], bool], seconds: float = 10
) -> Archive:
    async with asyncio.timeout(seconds):
        while not wanted(found := await archives.get(archive.id)):  # noqa: ASYNC110  # no port tells it
            await asyncio.sleep(0.01)
    return found


def is_over(archive: Archive) -> bool:
    return archive.status is not ArchiveStatus.PREPARING


async def keys(storage: ObjectStorage) -> list[str]:
    return [stored.key async for stored in storage.list("archives/")]


@pytest.fixture(params=["memory", "filesystem"])
async def storage(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[ObjectStorage]:
    if request.param == "memory":
        yield MemoryObjectStorage()
        return
    async with FilesystemObjectStorage(tmp_path) as opened:
        yield opened


async def test_an_archive_holds_what_the_execution_kept_with_sidecars(storage: ObjectStorage) -> None:
    archives = MemoryArchives()
    await filled(storage)
    archive = await asked(archives)
    async with worker(archives, storage):
        done = await until(archives, archive, is_over)
    assert (done.status, done.processed, done.bytes_packed) == (ArchiveStatus.READY, 2, 7), done.error
    content = await storage.read(archive.key)
    assert done.size == len(content)
    with zipfile.ZipFile(io.BytesIO(content)) as file:
        assert file.testzip() is None
        one = BASE + "read/markdown/1.md"
        two = BASE + "cut/segments/2.json"
        assert file.namelist() == [two, two + ".meta.json", one, one + ".meta.json"]
        assert file.read(one) == b"# One"
        told = json.loads(file.read(one + ".meta.json"))
    assert (told["content_type"], told["size"], told["metadata"]["title"]) == ("text/markdown", 5, "One")


@pytest.mark.parametrize(
    ("narrowed", "found"),
    [
        ({}, ["a/s/1.md", "a/s/t/2.JSON", "b/s/3.md"]),
        ({"routes": ("a",)}, ["a/s/1.md", "a/s/t/2.JSON"]),
        ({"stages": ("s",)}, ["a/s/1.md", "b/s/3.md"]),
        ({"stages": ("a/s", "s/t")}, ["a/s/1.md", "a/s/t/2.JSON"]),
        ({"path": "a/s/t"}, ["a/s/t/2.JSON"]),
        ({"extensions": ("json", ".txt")}, ["a/s/t/2.JSON"]),
        ({"routes": ("b",), "stages": ("a/s",)}, []),
    ],
)
def test_a_selection_narrows_what_is_packed(narrowed: dict[str, Any], found: list[str]) -> None:
    selection = ObjectSelection(execution_id=EXECUTION, **narrowed)
    names = ["a/s/1.md", "a/s/t/2.JSON", "b/s/3.md"]
    assert [name for name in names if selection.has(BASE + name)] == found
    assert not selection.has(f"executions/{uuid4()}/a/s/1.md")


@pytest.mark.parametrize("hostile", [{"path": "a\x00"}, {"routes": ("x" * 2000,)}, {"stages": ("s",) * 101}])
def test_a_selection_that_cannot_be_kept_is_refused(hostile: dict[str, Any]) -> None:
    with pytest.raises(InvalidSelection):
        ObjectSelection(execution_id=EXECUTION, **hostile)


async def test_cancelling_while_it_is_packed_leaves_no_file() -> None:
    archives, storage = MemoryArchives(), HeldStorage()
    await filled(storage)
    archive = await asked(archives)
    async with worker(archives, storage):
        await storage.reached.wait()
        packing = await archives.get(archive.id)
        await archives.update(packing.ended(ArchiveStatus.CANCELLED, at=SystemClock().now()))
        storage.gate.set()
        later = await asked(archives)
        assert (await until(archives, later, is_over)).status is ArchiveStatus.READY
    assert (await archives.get(archive.id)).status is ArchiveStatus.CANCELLED
    assert await keys(storage) == [later.key]


async def test_a_cancellation_is_heard_while_an_object_takes_long() -> None:
    archives, storage = MemoryArchives(), HeldStorage()
    await filled(storage)
    archive = await asked(archives)
    async with worker(archives, storage), asyncio.timeout(10):
        await storage.reached.wait()
        packing = await archives.get(archive.id)
        await archives.update(packing.ended(ArchiveStatus.CANCELLED, at=SystemClock().now()))
        await storage.left.wait()
    assert await keys(storage) == []


async def test_an_object_that_takes_long_is_no_silence() -> None:
    """Nobody else begins the archive meanwhile, though it waits for ten times what silence may last."""
    archives, storage = MemoryArchives(), HeldStorage()
    await filled(storage)
    archive = await asked(archives)
    async with worker(archives, storage, replace(QUICK, silent_seconds=0.05)):
        await storage.reached.wait()
        await asyncio.sleep(0.5)
        storage.gate.set()
        done = await until(archives, archive, is_over)
    assert (done.status, done.attempts) == (ArchiveStatus.READY, 1)


async def test_a_stop_gives_it_back_and_the_next_start_makes_it() -> None:
    archives, storage = MemoryArchives(), HeldStorage()
    await filled(storage)
    archive = await asked(archives)
    async with worker(archives, storage):
        await storage.reached.wait()
    stopped = await archives.get(archive.id)
    assert (stopped.status, stopped.alive_at, stopped.attempts) == (ArchiveStatus.PREPARING, None, 1)
    assert await keys(storage) == []
    storage.gate.set()
    async with worker(archives, storage):
        done = await until(archives, archive, is_over)
    assert (done.status, done.attempts, done.processed) == (ArchiveStatus.READY, 2, 2)


async def test_what_a_killed_process_had_is_begun_again_and_not_for_ever() -> None:
    archives, storage = MemoryArchives(), MemoryObjectStorage()
    await filled(storage)
    now = SystemClock().now()
    dead = await asked(archives, attempts=1, alive_at=now - timedelta(seconds=31))
    poison = await asked(archives, attempts=3, alive_at=now - timedelta(seconds=31))
    alive = await asked(archives, attempts=1, alive_at=now)
    async with worker(archives, storage):
        assert (await until(archives, dead, is_over)).status is ArchiveStatus.READY
        failed = await until(archives, poison, is_over)
    assert failed.status is ArchiveStatus.FAILED
    assert "3 times" in (failed.error or "")
    assert (await archives.get(alive.id)).status is ArchiveStatus.PREPARING


@pytest.mark.parametrize("error", [Unavailable("the bucket is away"), ValueError("a defect")])
async def test_a_failure_is_told_and_the_next_archive_is_made(error: Exception) -> None:
    archives, storage = MemoryArchives(), HeldStorage(error=error)
    await filled(storage)
    storage.gate.set()
    archive = await asked(archives)
    async with worker(archives, storage):
        failed = await until(archives, archive, is_over)
        storage.error = None
        later = await asked(archives)
        assert (await until(archives, later, is_over)).status is ArchiveStatus.READY
    assert failed.status is ArchiveStatus.FAILED
    assert str(error) in (failed.error or "")
    assert await keys(storage) == [later.key]


async def test_archives_are_forgotten_with_their_files_when_their_time_is_over() -> None:
    archives, storage = MemoryArchives(), MemoryObjectStorage()
    old = await asked(archives)
    long_ago = SystemClock().now() - timedelta(days=2)
    await archives.update(old.ended(ArchiveStatus.READY, at=long_ago, size=1))
    await storage.write(old.key, b"x")
    async with worker(archives, storage), asyncio.timeout(10):
        while await archives.ended(before=SystemClock().now()):  # noqa: ASYNC110  # no port tells it
            await asyncio.sleep(0.01)
    assert await keys(storage) == []


async def test_an_object_deleted_meanwhile_is_left_out() -> None:
    class Vanishing(MemoryObjectStorage):
        async def list(self, prefix: str = "", *, after: str = "") -> AsyncIterator[StoredObject]:
            async for stored in super().list(prefix, after=after):
                if stored.key.endswith("1.md"):
                    await self.delete(stored.key)
                yield stored

    storage = Vanishing()
    await filled(storage)
    archives = MemoryArchives()
    archive = await asked(archives)
    async with worker(archives, storage):
        assert (await until(archives, archive, is_over)).status is ArchiveStatus.READY
    with zipfile.ZipFile(io.BytesIO(await storage.read(archive.key))) as file:
        assert [name for name in file.namelist() if not name.endswith(".meta.json")] == [
            BASE + "cut/segments/2.json"
        ]


@asynccontextmanager
async def _measured() -> AsyncIterator[Callable[[], int]]:
    tracemalloc.start()
    try:
        yield lambda: tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.soak
async def test_ten_thousand_objects_are_packed_in_bounded_memory(tmp_path: Path) -> None:
    """With their sidecars, twenty thousand entries; the memory is less than a tenth of what is packed, the names in the folder among it."""
    async with FilesystemObjectStorage(tmp_path) as storage:
        for start in range(0, 10_000, 100):
            await asyncio.gather(
                *(
                    storage.write(f"{BASE}read/s/{number:05d}.bin", number.to_bytes(4) * 2_000)
                    for number in range(start, start + 100)
                )
            )
        archives = MemoryArchives()
        archive = await asked(archives, total=10_000)
        async with _measured() as peak:
            async with worker(archives, storage, replace(QUICK, beat_seconds=0.1)):
                done = await until(archives, archive, is_over, seconds=120)
            most = peak()
        assert (done.status, done.processed, done.bytes_packed) == (
            ArchiveStatus.READY,
            10_000,
            80_000_000,
        ), done.error
        assert most < 8_000_000
        path = tmp_path / "copy.zip"
        path.write_bytes(await storage.read(archive.key))
    with zipfile.ZipFile(path) as file:
        assert len(file.namelist()) == 20_000
        assert file.read(f"{BASE}read/s/09999.bin") == (9_999).to_bytes(4) * 2_000
        assert file.testzip() is None


async def test_packing_tells_its_progress_after_every_object() -> None:
    storage = MemoryObjectStorage()
    await filled(storage)
    told: list[int] = []

    async def progress(archive: Archive) -> None:
        told.append(archive.processed)

    kept: Callable[[Archive], Awaitable[None]] = progress
    archive = await asked(MemoryArchives())
    packing = Packing(storage, archive, kept)
    assert b"".join([chunk async for chunk in packing.chunks()])
    assert told == [1, 2]
