"""Stored objects: looking through what stages kept, and uploads."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator
from dataclasses import dataclass

from application.object_listing import ObjectPage, ObjectQuery, after_all_below, cursor_after
from application.ports.counting import COUNTED_EXACTLY
from application.ports.object_storage import ObjectStorage
from application.uploading import Uploading
from domain.errors import Refused
from domain.json import JsonObject
from domain.storage import ObjectNotFound, StoredObject, require_valid_key

UPLOADS = "uploads/"


class KeyNotWritable(Refused):
    """Objects are put and deleted under uploads/ only: what executions kept is the source of replays."""

    code = "storage_key_not_writable"


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredObjects:
    """What can be done with stored objects. Every method raises InvalidKey for a key that is not allowed."""

    storage: ObjectStorage
    uploading: Uploading

    async def list(self, query: ObjectQuery) -> ObjectPage:
        """A page of objects and common prefixes; raises InvalidCursor."""
        page: list[StoredObject | str] = []
        enough = max(COUNTED_EXACTLY, query.offset + query.limit) + 1
        total = 0
        async for item in self._items(query):
            total += 1
            if query.offset < total <= query.offset + query.limit:
                page.append(item)
            if total == enough:
                break
        has_more = total > query.offset + len(page)
        return ObjectPage(
            objects=[item for item in page if not isinstance(item, str)],
            common_prefixes=[item for item in page if isinstance(item, str)],
            total=total,
            is_total_exact=total < enough,
            has_more=has_more,
            next_cursor=cursor_after(page[-1]) if page and has_more else None,
        )

    async def head(self, key: str) -> StoredObject:
        """What is known of an object without its content; raises ObjectNotFound."""
        return await self.storage.head(key)

    async def read(self, key: str) -> bytes:
        """The whole content; raises ObjectNotFound."""
        return await self.storage.read(key)

    def stream(self, key: str, *, start: int = 0, end: int | None = None) -> AsyncIterator[bytes]:
        """The content from byte ``start`` up to, not including, ``end``; raises ObjectNotFound at the first chunk."""
        return self.storage.stream(key, start=start, end=end)

    async def put(
        self,
        key: str,
        content: bytes | AsyncIterator[bytes],
        *,
        content_type: str = "application/octet-stream",
        metadata: JsonObject | None = None,
    ) -> StoredObject:
        """Store an upload, replacing one of that key, and tell subscribers of it.

        Raises KeyNotWritable, InvalidObjectDescription.
        """
        _require_writable(key)
        return await self.uploading.store(key, content, content_type=content_type, metadata=metadata)

    async def delete(self, key: str) -> None:
        """Remove an upload; raises KeyNotWritable, ObjectNotFound."""
        _require_writable(key)
        if not await self.storage.delete(key):
            raise ObjectNotFound(f"there is no stored object {key!r}")

    async def _items(self, query: ObjectQuery) -> AsyncIterator[StoredObject | str]:
        """Objects and common prefixes in order. What lies below a common prefix is jumped over, not read."""
        after: str | None = query.after
        prefix = None
        while after is not None:
            listing = self.storage.list(query.prefix, after=after)
            after = None
            async for stored in listing:
                common = query.common_prefix(stored.key)
                if common is None and query.wants(stored):
                    yield stored
                elif common is not None and common != prefix:
                    yield common
                    prefix, after = common, after_all_below(common)
                    break
            if isinstance(listing, AsyncGenerator):
                await listing.aclose()


def _require_writable(key: str) -> None:
    if not require_valid_key(key).startswith(UPLOADS):
        raise KeyNotWritable
