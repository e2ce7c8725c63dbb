"""Object storage in a folder of the local file system."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from io import BufferedReader
from itertools import islice
from pathlib import Path
from types import TracebackType
from typing import ParamSpec, Self, TypeAlias, TypeVar

from adapters.filesystem.object_files import SMALL, ObjectFiles, Whole, open_files
from adapters.filesystem.sidecar import Description
from adapters.filesystem.translation import FileStorageUnavailable, translating
from application.batcher import Batcher
from application.ports.readiness import ComponentHealth, Health
from domain.errors import FactflowError
from domain.json import JsonObject
from domain.storage import ObjectNotFound, StoredObject, metadata_text, require_valid_key

P = ParamSpec("P")
T = TypeVar("T")

CHUNK_BYTES = 1 << 20
FIRST_PAGE = 8
LAST_PAGE = 256
THREADS = 8
GROUP = 32
"""Small objects that one thread writes or reads in one step at most."""

Fetched: TypeAlias = tuple[StoredObject, bytes]


class FilesystemObjectStorage:
    """Objects as files under ``root`` (docs/reference/storage-layout.md), on disk when a write returns.

    ``async with`` opens it: the folder is made, and what crashed writers left half done is finished. Every operation takes one
    step in a thread, streams one for each chunk of 1 MiB; small objects that come together share a step, and the waiting
    for the disk with it.
    """

    component = "storage"

    def __init__(self, root: Path) -> None:
        self.root = root
        self._opened: tuple[ObjectFiles, ThreadPoolExecutor] | None = None
        self._writes: Batcher[Whole, StoredObject | OSError] = Batcher(self._write_all, size=GROUP, lanes=2)
        self._fetches: Batcher[str, Fetched | OSError | None] = Batcher(self._fetch_all, size=GROUP, lanes=2)

    async def __aenter__(self) -> Self:
        with translating():
            files = await asyncio.to_thread(open_files, self.root)
        self._opened = files, ThreadPoolExecutor(THREADS, thread_name_prefix="storage")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._opened is not None:
            (files, threads), self._opened = self._opened, None
            await asyncio.to_thread(threads.shutdown)
            with translating():
                await asyncio.to_thread(files.close)

    async def write(
        self,
        key: str,
        content: bytes | AsyncIterator[bytes],
        *,
        content_type: str = "application/octet-stream",
        metadata: JsonObject | None = None,
        if_absent: bool = False,
    ) -> StoredObject:
        text = metadata_text(content_type, metadata or {})
        description = Description(key=require_valid_key(key), content_type=content_type, metadata=text)
        if isinstance(content, bytes | bytearray | memoryview):
            whole = Whole(content, description, if_absent)
            if len(content) <= SMALL:
                return _unless_error(await self._writes.submit(whole))
            (stored,) = await self._write_all([whole])
            return _unless_error(stored)
        if if_absent and (existing := await self._run(self._files.head, key)) is not None:
            return existing
        return await self._write_stream(content, description, if_absent=if_absent)

    async def _write_all(self, objects: Sequence[Whole]) -> Sequence[StoredObject | OSError]:
        return await self._run(self._files.write_all, objects)

    async def _write_stream(
        self, content: AsyncIterator[bytes], description: Description, *, if_absent: bool
    ) -> StoredObject:
        draft = self._files.draft()
        try:
            async for block in _blocks(content):
                await self._run(draft.write, block)
            return await self._run(self._files.commit, draft, description, if_absent=if_absent)
        finally:
            await asyncio.shield(self._run(draft.discard))

    async def read(self, key: str) -> bytes:
        return await self._run(self._files.read, require_valid_key(key))

    async def fetch(self, key: str) -> Fetched:
        fetched = _unless_error(await self._fetches.submit(require_valid_key(key)))
        if fetched is None:
            raise ObjectNotFound(f"there is no stored object {key!r}")
        return fetched

    async def _fetch_all(self, keys: Sequence[str]) -> Sequence[Fetched | OSError | None]:
        return await self._run(self._files.fetch_all, keys)

    async def stream(self, key: str, *, start: int = 0, end: int | None = None) -> AsyncIterator[bytes]:
        file = await self._open(require_valid_key(key), start)
        try:
            position = start
            while (wanted := CHUNK_BYTES if end is None else min(CHUNK_BYTES, end - position)) > 0:
                chunk = await self._run(file.read, wanted)
                if not chunk:
                    break
                yield chunk
                position += len(chunk)
        finally:
            file.close()

    async def _open(self, key: str, start: int) -> BufferedReader:
        opening = asyncio.ensure_future(self._run(self._files.open, key, start))
        try:
            return await asyncio.shield(opening)
        except asyncio.CancelledError:
            opening.add_done_callback(_close_opened)
            raise

    async def head(self, key: str) -> StoredObject:
        stored = await self._run(self._files.head, require_valid_key(key))
        if stored is None:
            raise ObjectNotFound(f"there is no stored object {key!r}")
        return stored

    async def list(self, prefix: str = "", *, after: str = "") -> AsyncIterator[StoredObject]:
        found = self._files.list(prefix, after)
        # Small pages first: whoever looks for the next common prefix wants but one object.
        wanted = FIRST_PAGE
        while page := await self._run(list, islice(found, wanted)):
            for stored in page:
                yield stored
            wanted = min(wanted * 4, LAST_PAGE)

    async def delete(self, key: str) -> bool:
        return await self._run(self._files.delete, require_valid_key(key))

    async def check(self) -> ComponentHealth:
        """Whether a file can be written and removed now."""
        try:
            draft = self._files.draft()
            try:
                await self._run(draft.finish)
            finally:
                await self._run(draft.discard)
        except FactflowError as error:
            return ComponentHealth(name=self.component, health=Health.UNHEALTHY, message=error.message)
        return ComponentHealth(name=self.component, health=Health.HEALTHY)

    @property
    def _files(self) -> ObjectFiles:
        if self._opened is None:
            raise FileStorageUnavailable("the file storage is not open")
        return self._opened[0]

    async def _run(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        if self._opened is None:
            raise FileStorageUnavailable("the file storage is not open")
        with translating():
            return await asyncio.get_running_loop().run_in_executor(
                self._opened[1], partial(function, *args, **kwargs)
            )


def _unless_error(outcome: T | OSError) -> T:
    if isinstance(outcome, OSError):
        with translating():
            raise outcome
    return outcome


async def _blocks(content: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """The same bytes in pieces of at least 1 MiB, but for the last."""
    block = bytearray()
    async for chunk in content:
        block += chunk
        if len(block) >= CHUNK_BYTES:
            yield bytes(block)
            block.clear()
    if block:
        yield bytes(block)


def _close_opened(opening: asyncio.Future[BufferedReader]) -> None:
    if not opening.cancelled() and opening.exception() is None:
        opening.result().close()
