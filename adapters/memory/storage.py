"""Object storage in memory."""

from __future__ import annotations

import hashlib
import json
from bisect import bisect_left, bisect_right, insort
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime

from domain.json import JsonObject
from domain.storage import ObjectNotFound, StoredObject, metadata_text, require_valid_key

CHUNK_BYTES = 1 << 20


def _system_time() -> datetime:
    return datetime.now(UTC)


class MemoryObjectStorage:
    """Objects in a dictionary and their keys in order; gone with the process."""

    def __init__(self, *, now: Callable[[], datetime] = _system_time) -> None:
        self._now = now
        self._contents: dict[str, tuple[StoredObject, bytes]] = {}
        self._keys: list[str] = []

    async def write(
        self,
        key: str,
        content: bytes | AsyncIterator[bytes],
        *,
        content_type: str = "application/octet-stream",
        metadata: JsonObject | None = None,
        if_absent: bool = False,
    ) -> StoredObject:
        require_valid_key(key)
        kept: JsonObject = json.loads(metadata_text(content_type, metadata or {}))
        if if_absent and key in self._contents:
            return self._contents[key][0]
        whole = (
            bytes(content) if isinstance(content, bytes | bytearray | memoryview) else await _joined(content)
        )
        if if_absent and key in self._contents:
            return self._contents[key][0]
        stored = StoredObject(
            key=key,
            size=len(whole),
            content_type=content_type,
            modified_at=self._now(),
            checksum=hashlib.sha256(whole).hexdigest(),
            metadata=kept,
        )
        if key not in self._contents:
            insort(self._keys, key)
        self._contents[key] = stored, whole
        return stored

    async def read(self, key: str) -> bytes:
        return self._found(key)[1]

    async def fetch(self, key: str) -> tuple[StoredObject, bytes]:
        return self._found(key)

    async def stream(self, key: str, *, start: int = 0, end: int | None = None) -> AsyncIterator[bytes]:
        content = self._found(key)[1]
        until = len(content) if end is None else min(end, len(content))
        for position in range(start, until, CHUNK_BYTES):
            yield content[position : min(position + CHUNK_BYTES, until)]

    async def head(self, key: str) -> StoredObject:
        return self._found(key)[0]

    async def list(self, prefix: str = "", *, after: str = "") -> AsyncIterator[StoredObject]:
        position = max(bisect_left(self._keys, prefix), bisect_right(self._keys, after))
        while position < len(self._keys) and (key := self._keys[position]).startswith(prefix):
            yield self._contents[key][0]
            position = bisect_right(self._keys, key)

    async def delete(self, key: str) -> bool:
        if self._contents.pop(require_valid_key(key), None) is None:
            return False
        del self._keys[bisect_left(self._keys, key)]
        return True

    def _found(self, key: str) -> tuple[StoredObject, bytes]:
        found = self._contents.get(require_valid_key(key))
        if found is None:
            raise ObjectNotFound(f"there is no stored object {key!r}")
        return found


async def _joined(content: AsyncIterator[bytes]) -> bytes:
    return b"".join([chunk async for chunk in content])
