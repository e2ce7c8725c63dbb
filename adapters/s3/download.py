"""The content of one object on its way out, in chunks."""

from __future__ import annotations

import hashlib
import threading
from contextlib import closing
from typing import Any

from adapters.s3.description import Facts, described, promised
from adapters.s3.objects import ATTEMPTS, S3Objects, not_found
from adapters.s3.translation import S3ObjectCorrupt, S3Unavailable
from domain.storage import StoredObject

CHUNK_BYTES = 1 << 20
RESUMPTIONS = 3
"""How often a line that broke is taken up again without a byte having come."""


class Download:
    """Reads one range of one object, whatever replaces it meanwhile. One thread at a time reads; any may close."""

    def __init__(self, objects: S3Objects, key: str, start: int, end: int | None) -> None:
        self._objects = objects
        self._key = key
        self._position = start
        self._end = end
        self._is_whole = start == 0 and end is None
        self._facts: Facts | None = None
        self._body: Any = None
        self._sidecar: bytes | None = None
        self._sha256 = hashlib.sha256()
        self._is_closed = False
        self._is_reading = threading.Lock()

    def read(self) -> bytes:
        """The next chunk, of at most 1 MiB; empty at the end.

        Raises ObjectNotFound at the first, and S3ObjectCorrupt at the last when all of it was read and is not what was
        written.
        """
        with self._is_reading:
            chunk = self._chunk() if not self._is_closed else b""
            self._position += len(chunk)
            if self._is_whole:
                self._sha256.update(chunk)
                if not chunk and not self._is_closed:
                    self._require_promised()
        if self._is_closed:
            self.close()
        return chunk

    @property
    def stored(self) -> StoredObject:
        """The object, once all of it was read."""
        if self._facts is None:
            raise not_found(self._key)
        return described(self._key, self._facts, self._sidecar)

    @property
    def has_its_sidecar(self) -> bool:
        """False when the object has another by now, or lost it."""
        return self._facts is None or self._facts.token is None or self._sidecar is not None

    def close(self) -> None:
        """Let go of the line, or have whoever reads do it."""
        self._is_closed = True
        if self._is_reading.acquire(blocking=False):
            try:
                self._let_go()
            finally:
                self._is_reading.release()

    def _chunk(self) -> bytes:
        for attempt in range(RESUMPTIONS + 1):
            # A request that fails was tried again by boto3 already; a body that breaks off was not.
            if self._body is None and not self._open():
                return b""
            try:
                chunk: bytes = self._body.read(CHUNK_BYTES)
                return chunk
            except Exception as error:
                self._let_go()
                if attempt == RESUMPTIONS or not _is_broken_line(error):
                    raise
        return b""  # pragma: no cover (the loop returns or raises)

    def _open(self) -> bool:
        """Ask for the rest; False when nothing is left of the range."""
        full = self._objects.keys.full(self._key)
        if self._end is not None and self._position >= self._end:
            if self._facts is None:
                self._objects.head(self._key)
            return False
        try:
            found = self._objects.bucket.get(
                full, start=self._position, end=self._end, etag=self._facts.etag if self._facts else None
            )
        except Exception as error:
            status = _status(error)
            if status == 416:
                return False
            if status == 412:
                raise S3Unavailable(
                    f"the stored object {self._key!r} was replaced while it was read"
                ) from error
            raise
        if found is None:
            raise not_found(self._key)
        facts, self._body = found
        self._facts = self._facts or facts
        return True

    def _require_promised(self) -> None:
        if self._facts is None:
            return
        self._sidecar = self._objects.sidecar(self._key, self._facts)
        promise = promised(self._facts, self._sidecar)
        if promise is None or promise == (self._position, self._sha256.hexdigest()):
            return
        what = (
            "its checksum is wrong"
            if promise[0] == self._position
            else f"it has {self._position} bytes instead of {promise[0]}"
        )
        raise S3ObjectCorrupt(
            f"the content of the stored object {self._key!r} is not what was written: {what}"
        )

    def _let_go(self) -> None:
        body, self._body = self._body, None
        if body is not None:
            body.close()


def fetched(objects: S3Objects, key: str) -> tuple[StoredObject, bytes]:
    """The object and its whole content; raises what reading a download does."""
    for attempt in range(ATTEMPTS):
        with closing(Download(objects, key, 0, None)) as download:
            content = b"".join(iter(download.read, b""))
        if download.has_its_sidecar or attempt == ATTEMPTS - 1:
            return download.stored, content
    raise not_found(key)  # pragma: no cover (the last attempt returns)


def _status(error: Exception) -> int:
    answer = getattr(error, "response", None)
    return int(answer["ResponseMetadata"]["HTTPStatusCode"]) if isinstance(answer, dict) else 0


def _is_broken_line(error: Exception) -> bool:
    from botocore import exceptions  # noqa: PLC0415  # as in translation.py

    return isinstance(error, exceptions.HTTPClientError | exceptions.IncompleteReadError)
