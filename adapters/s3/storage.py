"""Object storage in an S3 bucket."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, Self, TypeAlias

from adapters.s3.bucket import Bucket
from adapters.s3.connection import CHECK_SECONDS, Connection
from adapters.s3.description import Description
from adapters.s3.download import Download, fetched
from adapters.s3.keys import Keys
from adapters.s3.objects import Pending, S3Objects
from adapters.s3.sending import Sending, beginning, parts
from adapters.s3.threads import Threads
from adapters.s3.translation import S3BucketMissing, S3Unavailable, translating
from application.ports.readiness import ComponentHealth, Health
from domain.errors import FactflowError
from domain.json import JsonObject
from domain.storage import StoredObject, metadata_text

MIB = 1 << 20
FIRST_PAGE, LAST_PAGE = 32, 1000
LAST_WINDOW = 64
LARGE = 64 * 1024
"""From here on it is worth to look first whether an object is there."""


Opened: TypeAlias = tuple[S3Objects, Bucket]
"""The objects, and their bucket as health checks see it."""


def _system_time() -> datetime:
    return datetime.now(UTC)


class S3ObjectStorage:
    """Objects in a bucket, below ``prefix`` (docs/reference/storage-layout.md).

    ``async with`` opens it: boto3 is imported, the bucket is made where ``create_bucket`` says so and there is none,
    and the server is asked whether it keeps conditions. Every request takes a step in one of ``threads`` threads. A
    content longer than ``multipart_threshold`` bytes is uploaded in parts of ``part_size`` (5 MiB at least on AWS), of
    which about six are in memory. ``checksum_headers`` False leaves out ``x-amz-checksum-sha256``, which some servers
    refuse; the signature covers the content's SHA-256 in any case. A request is tried ``attempts`` times, each with
    ``connect_timeout`` seconds for the line and ``read_timeout`` between two pieces of the answer.
    """

    component = "storage"

    def __init__(
        self,
        bucket: str,
        *,
        prefix: str = "",
        endpoint_url: str | None = None,
        region: str | None = None,
        access_key: str | None = None,
        secret_key: str | None = None,
        path_style: bool | None = None,
        threads: int = 16,
        multipart_threshold: int = 8 * MIB,
        part_size: int = 8 * MIB,
        create_bucket: bool = False,
        checksum_headers: bool = True,
        attempts: int = 4,
        connect_timeout: float = 5,
        read_timeout: float = 30,
        now: Callable[[], datetime] = _system_time,
    ) -> None:
        self.bucket = bucket
        self._keys = Keys(prefix)
        self._connection = Connection(
            endpoint_url=endpoint_url,
            region=region,
            access_key=access_key,
            secret_key=secret_key,
            path_style=path_style,
            connections=2 * threads,
            attempts=attempts,
            connect_timeout=connect_timeout,
            read_timeout=read_timeout,
        )
        self._threads = Threads(threads)
        self._multipart_threshold = multipart_threshold
        self._part_size = part_size
        self._creates_bucket = create_bucket
        self._has_checksum_headers = checksum_headers
        self._now = now
        self._opened: Opened | None = None

    async def __aenter__(self) -> Self:
        opening = asyncio.ensure_future(asyncio.to_thread(self._open))
        try:
            self._opened = await asyncio.shield(opening)
        except asyncio.CancelledError:
            opening.add_done_callback(_close_opened)
            raise
        self._threads.start()
        return self

    def _open(self) -> Opened:
        with translating():
            work, check = (self._bucket(client) for client in self._connection.clients())
            try:
                self._prepare(work)
            except BaseException:
                work.close()
                check.close()
                raise
            return S3Objects(work, self._keys, self._now), check

    def _bucket(self, client: Any) -> Bucket:
        return Bucket(client, self.bucket, checksum_headers=self._has_checksum_headers)

    def _prepare(self, bucket: Bucket) -> None:
        try:
            with translating():
                bucket.require()
        except S3BucketMissing:
            if not self._creates_bucket:
                raise
            bucket.create()
        bucket.probe(self._keys.prefix)

    async def look(self) -> None:
        """Ask for the bucket without opening it, and write nothing. Raises S3BucketMissing, S3Refused, S3Unavailable."""
        await asyncio.to_thread(self._look)

    def _look(self) -> None:
        with translating():
            bucket, other = (self._bucket(client) for client in self._connection.clients())
            try:
                bucket.require()
            finally:
                bucket.close()
                other.close()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self._threads.stop()
        if self._opened is not None:
            opened, self._opened = self._opened, None
            _close(opened)

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
        description = Description(key=key, content_type=content_type, metadata=text)
        self._keys.full(key)
        is_large = not isinstance(content, bytes | bytearray | memoryview) or len(content) > LARGE
        if if_absent and is_large:
            existing = await self._threads.run(self._objects.find, key)
            if existing is not None:
                return existing
        first, rest = await beginning(content, self._multipart_threshold)
        if rest is None and len(first) <= self._multipart_threshold:
            return await self._threads.settled(self._objects.write, first, description, if_absent=if_absent)
        pieces = parts(first, rest, self._part_size)
        del first  # or it would be in memory until the last piece is sent
        return await self._write_parts(pieces, self._objects.pending(description), if_absent=if_absent)

    async def _write_parts(
        self, content: AsyncIterator[bytes], pending: Pending, *, if_absent: bool
    ) -> StoredObject:
        sending = Sending(pending.upload, self._threads)
        try:
            await self._threads.settled(pending.upload.begin)
            async for part in content:
                await sending.send(part)
            await sending.arrive()
            stored = await self._threads.settled(
                self._objects.complete,
                pending,
                size=sending.size,
                checksum=sending.checksum,
                if_absent=if_absent,
            )
        finally:
            await self._threads.cleared(self._clear(sending, pending))
        return stored

    async def _clear(self, sending: Sending, pending: Pending) -> None:
        await sending.come_to_rest()
        with suppress(FactflowError):
            await self._threads.run(pending.upload.abort)

    async def read(self, key: str) -> bytes:
        return (await self.fetch(key))[1]

    async def fetch(self, key: str) -> tuple[StoredObject, bytes]:
        self._keys.full(key)
        return await self._threads.run(fetched, self._objects, key)

    async def stream(self, key: str, *, start: int = 0, end: int | None = None) -> AsyncIterator[bytes]:
        self._keys.full(key)
        download = Download(self._objects, key, start, end)
        try:
            while chunk := await self._threads.run(download.read):
                yield chunk
        finally:
            download.close()

    async def head(self, key: str) -> StoredObject:
        self._keys.full(key)
        return await self._threads.run(self._objects.head, key)

    async def list(self, prefix: str = "", *, after: str = "") -> AsyncIterator[StoredObject]:
        page, window, token = FIRST_PAGE, 1, None
        is_over = False
        while not is_over:
            keys, token = await self._threads.run(self._objects.list, prefix, after, limit=page, token=token)
            is_over, page = token is None, LAST_PAGE
            while keys:
                # Small windows first: whoever looks for the next common prefix wants but one object.
                found = await asyncio.gather(
                    *(self._threads.run(self._objects.find, key) for key in keys[:window])
                )
                for stored in found:
                    if stored is not None:
                        yield stored
                keys, window = keys[window:], min(window * 4, LAST_WINDOW)

    async def delete(self, key: str) -> bool:
        self._keys.full(key)
        return await self._threads.settled(self._objects.delete, key)

    async def check(self) -> ComponentHealth:
        """Whether the bucket answers now."""
        message = None
        try:
            if self._opened is None:
                raise S3Unavailable("the S3 storage is not open")
            # Beside the storage's own threads, which may all be busy with large objects.
            async with asyncio.timeout(2 * CHECK_SECONDS):
                await asyncio.to_thread(self._ask, self._opened[1])
        except TimeoutError:
            message = "the S3 server did not answer in time"
        except FactflowError as error:
            message = error.message
        return ComponentHealth(
            name=self.component, health=Health.UNHEALTHY if message else Health.HEALTHY, message=message
        )

    @staticmethod
    def _ask(bucket: Bucket) -> None:
        with translating():
            bucket.require()

    @property
    def _objects(self) -> S3Objects:
        if self._opened is None:
            raise S3Unavailable("the S3 storage is not open")
        return self._opened[0]


def _close(opened: Opened) -> None:
    objects, check = opened
    objects.bucket.close()
    check.close()


def _close_opened(opening: asyncio.Future[Opened]) -> None:
    if not opening.cancelled() and opening.exception() is None:
        _close(opening.result())
