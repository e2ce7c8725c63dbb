"""Sends the parts of one upload, a few at a time, in bounded memory."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator

from adapters.s3.threads import Threads
from adapters.s3.upload import MAX_PARTS, Upload
from domain.errors import Invalid

IN_FLIGHT = 3
"""Parts that are on their way at once; with the one that is gathered, so many are in memory."""


class S3ObjectTooLarge(Invalid):
    """The content has more parts than S3 allows."""

    code = "s3_object_too_large"


class Sending:
    """The parts of one upload on their way."""

    def __init__(self, upload: Upload, threads: Threads) -> None:
        self._upload = upload
        self._threads = threads
        self._on_their_way: set[asyncio.Future[None]] = set()
        self._sha256 = hashlib.sha256()
        self._count = 0
        self.size = 0

    @property
    def checksum(self) -> str:
        """Hex SHA-256 of what was sent so far."""
        return self._sha256.hexdigest()

    async def send(self, part: bytes) -> None:
        """Have a part sent as soon as there is room; raises what an earlier one met."""
        if self._count == MAX_PARTS:
            raise S3ObjectTooLarge(
                f"an object has at most {MAX_PARTS} parts, here of {self.size // MAX_PARTS} bytes"
            )
        while len(self._on_their_way) >= IN_FLIGHT:
            await self._one()
        self._count += 1
        self.size += len(part)
        await self._threads.settled(self._sha256.update, part)
        self._on_their_way.add(self._threads.submit(self._upload.add, self._count, part))

    async def arrive(self) -> None:
        """Wait until all have arrived; raises what one of them met."""
        while self._on_their_way:
            await self._one()

    async def come_to_rest(self) -> None:
        """Wait until none is on its way, whatever became of it."""
        await asyncio.gather(*self._on_their_way, return_exceptions=True)

    async def _one(self) -> None:
        done, _ = await asyncio.wait(self._on_their_way, return_when=asyncio.FIRST_COMPLETED)
        self._on_their_way -= done
        for future in done:
            future.result()


async def beginning(
    content: bytes | AsyncIterator[bytes], size: int
) -> tuple[bytes, AsyncIterator[bytes] | None]:
    """The content up to ``size`` bytes and the chunk that exceeds them, and the rest; None when there is none.

    Bytes are their own beginning.
    """
    if isinstance(content, bytes | bytearray | memoryview):
        return bytes(content), None
    gathered = bytearray()
    async for chunk in content:
        gathered += chunk
        if len(gathered) > size:
            return bytes(gathered), content
    return bytes(gathered), None


async def parts(first: bytes, rest: AsyncIterator[bytes] | None, size: int) -> AsyncIterator[bytes]:
    """The same bytes in pieces of exactly ``size``, but for the last."""
    position = 0
    while len(first) - position >= size:
        yield first[position : position + size]
        position += size
    gathered = bytearray(memoryview(first)[position:])
    del first
    if rest is not None:
        async for chunk in rest:
            gathered += chunk
            while len(gathered) >= size:
                with memoryview(gathered) as view, view[:size] as piece:
                    part = bytes(piece)
                del gathered[:size]
                yield part
    if gathered:
        yield bytes(gathered)
