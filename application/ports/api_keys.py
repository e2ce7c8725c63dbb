"""Keeps API keys."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Protocol
from uuid import UUID

from domain.access.api_key import ApiKey


class ApiKeys(Protocol):
    """API keys by id and by the digests of their texts; nothing in them opens anything.

    Raises Unavailable when the store cannot be reached.
    """

    async def add(self, key: ApiKey) -> None:
        """Keep a new key; raises ApiKeyChanged when its id or its digest is taken. Of two at once one succeeds."""
        ...

    async def get(self, key_id: UUID) -> ApiKey:
        """One key; raises ApiKeyNotFound."""
        ...

    async def find(self, digest: str) -> ApiKey | None:
        """The key whose digest, or old digest, this is, however it stands; a digest in force goes before an old one."""
        ...

    async def replace(self, key: ApiKey, *, expected_version: int) -> None:
        """Put a key in place of that of a version; raises ApiKeyNotFound, ApiKeyChanged.

        ``last_used_at`` stays what ``touch`` has made it.
        """
        ...

    async def touch(self, used_at: Mapping[UUID, datetime]) -> None:
        """Note when keys were last used; an earlier moment than is known changes nothing, nor does an unknown id."""
        ...

    async def list(
        self, *, is_revoked: bool | None = None, limit: int, offset: int = 0
    ) -> tuple[Sequence[ApiKey], int]:
        """A page of keys, the latest first, and how many there are in all."""
        ...
