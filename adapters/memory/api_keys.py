"""API keys in memory."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from uuid import UUID

from domain.access.api_key import ApiKey
from domain.access.errors import ApiKeyChanged, ApiKeyNotFound


@dataclass(slots=True)
class MemoryApiKeys:
    """The ``ApiKeys`` port over a dict."""

    keys: dict[UUID, ApiKey] = field(default_factory=dict)

    async def add(self, key: ApiKey) -> None:
        """See the port."""
        if key.id in self.keys or self._holder(key.digest) is not None:
            raise ApiKeyChanged("that key exists already")
        self.keys[key.id] = key

    async def get(self, key_id: UUID) -> ApiKey:
        """See the port."""
        if key_id not in self.keys:
            raise ApiKeyNotFound
        return self.keys[key_id]

    async def find(self, digest: str) -> ApiKey | None:
        """See the port."""
        old = (one for one in self.keys.values() if one.old_digest == digest)
        return self._holder(digest) or next(old, None)

    async def replace(self, key: ApiKey, *, expected_version: int) -> None:
        """See the port."""
        before = await self.get(key.id)
        holder = self._holder(key.digest)
        if before.version != expected_version or (holder is not None and holder.id != key.id):
            raise ApiKeyChanged
        self.keys[key.id] = replace(key, last_used_at=before.last_used_at)

    async def touch(self, used_at: Mapping[UUID, datetime]) -> None:
        """See the port."""
        for key_id, moment in used_at.items():
            known = self.keys.get(key_id)
            if known is not None and (known.last_used_at is None or known.last_used_at < moment):
                self.keys[key_id] = replace(known, last_used_at=moment)

    async def list(
        self, *, is_revoked: bool | None = None, limit: int, offset: int = 0
    ) -> tuple[Sequence[ApiKey], int]:
        """See the port."""
        meant = [
            one
            for one in self.keys.values()
            if is_revoked is None or (one.revoked_at is not None) is is_revoked
        ]
        meant.sort(key=lambda one: (one.created_at, one.id), reverse=True)
        return meant[offset : offset + limit], len(meant)

    def _holder(self, digest: str) -> ApiKey | None:
        return next((one for one in self.keys.values() if one.digest == digest), None)
