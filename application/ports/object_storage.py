"""Keeps the output of every stage."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Protocol

from domain.json import JsonObject
from domain.storage import StoredObject


class ObjectStorage(Protocol):
    """Objects by key, each with a sidecar of metadata. Safe for concurrent use.

    Every method refuses a key that ``domain.storage.require_valid_key`` refuses with InvalidKey.
    A reader sees a whole object or none, never a part of one being written. Raises Unavailable when the store fails.
    """

    async def write(
        self,
        key: str,
        content: bytes | AsyncIterator[bytes],
        *,
        content_type: str = "application/octet-stream",
        metadata: JsonObject | None = None,
        if_absent: bool = False,
    ) -> StoredObject:
        """Store the object, replacing one of that key; returns what is then there.

        With ``if_absent`` an object that exists is kept as it is and described. A stream that breaks off stores nothing.
        """
        ...

    async def read(self, key: str) -> bytes:
        """The whole content; raises ObjectNotFound."""
        ...

    async def fetch(self, key: str) -> tuple[StoredObject, bytes]:
        """What ``head`` and ``read`` return, at the cost of one of them; raises ObjectNotFound."""
        ...

    def stream(self, key: str, *, start: int = 0, end: int | None = None) -> AsyncIterator[bytes]:
        """The content from byte ``start`` up to, not including, ``end``, in chunks; raises ObjectNotFound at the first."""
        ...

    async def head(self, key: str) -> StoredObject:
        """What is known of the object without its content; raises ObjectNotFound."""
        ...

    def list(self, prefix: str = "", *, after: str = "") -> AsyncIterator[StoredObject]:
        """Objects whose key begins with the prefix and sorts after ``after``, in the order of their keys' code points.

        The prefix need not end at a ``/``. Sidecars are not listed. An object written meanwhile may or may not appear.
        """
        ...

    async def delete(self, key: str) -> bool:
        """Remove the object and its sidecar; whether there was one."""
        ...
