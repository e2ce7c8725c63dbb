"""Packs what is selected into the bytes of a ZIP file, in memory that does not grow with the number of objects."""

from __future__ import annotations

import asyncio
import json
import logging
import tempfile
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import aclosing
from dataclasses import dataclass, replace
from typing import IO

from application.ports.object_storage import ObjectStorage
from domain.archive import Archive
from domain.storage import SIDECAR_SUFFIX, ObjectNotFound, StoredObject
from domain.zip_file import ZipFile

log = logging.getLogger(__name__)

Progress = Callable[[Archive], Awaitable[None]]
DIRECTORY_IN_MEMORY = 1024 * 1024
"""Bytes of the file's own directory up to which it is kept in memory: some 10,000 entries."""

WORTH_A_THREAD = 64 * 1024
"""Smaller pieces are packed faster than a thread is asked."""


@dataclass(slots=True)
class Packing:
    """The packing of one archive. ``progress`` is awaited after every object and may raise to break it off."""

    storage: ObjectStorage
    archive: Archive
    progress: Progress

    async def chunks(self) -> AsyncIterator[bytes]:
        """The file piece by piece. An object that is deleted meanwhile is left out."""
        with tempfile.SpooledTemporaryFile(DIRECTORY_IN_MEMORY) as directory:
            file = ZipFile()
            async for stored in self.storage.list(self.archive.selection.prefix):
                if self.archive.selection.has(stored.key):
                    async with aclosing(self._object(file, stored, directory)) as chunks:
                        async for chunk in chunks:
                            yield chunk
                    await self._count(stored)
            directory.seek(0)
            while records := directory.read(WORTH_A_THREAD):
                yield records
            yield file.last()

    async def _object(
        self, file: ZipFile, stored: StoredObject, directory: IO[bytes]
    ) -> AsyncGenerator[bytes]:
        content = self.storage.stream(stored.key)
        try:
            piece = await anext(content, None)
        except ObjectNotFound:
            log.warning("an object was deleted before it could be archived: %s", stored.key)
            return
        yield file.begin(stored.key, modified_at=stored.modified_at)
        while piece is not None:
            if packed := await _packed(file, piece):
                yield packed
            piece = await anext(content, None)
        yield file.end()
        directory.write(file.record)
        if self.archive.includes_metadata:
            name = stored.key + SIDECAR_SUFFIX
            yield file.begin(name, modified_at=stored.modified_at) + file.piece(sidecar(stored)) + file.end()
            directory.write(file.record)

    async def _count(self, stored: StoredObject) -> None:
        self.archive = replace(
            self.archive,
            processed=self.archive.processed + 1,
            bytes_packed=self.archive.bytes_packed + stored.size,
        )
        await self.progress(self.archive)


async def _packed(file: ZipFile, piece: bytes) -> bytes:
    if len(piece) < WORTH_A_THREAD:
        return file.piece(piece)
    return await asyncio.to_thread(file.piece, piece)


def sidecar(stored: StoredObject) -> bytes:
    """What is known of an object, with the fields that a sidecar has in a folder."""
    described = {
        "key": stored.key,
        "content_type": stored.content_type,
        "size": stored.size,
        "checksum": stored.checksum,
        "metadata": dict(stored.metadata),
    }
    return (json.dumps(described, ensure_ascii=False, indent=2) + "\n").encode()
