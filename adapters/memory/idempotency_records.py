"""Answers to requests that may be repeated, in memory."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from domain.idempotency import IdempotencyInFlight, IdempotencyKeyReused, KeptAnswer


@dataclass(slots=True)
class _Record:
    fingerprint: str
    token: UUID
    begun_at: datetime
    until: datetime
    answer: KeptAnswer | None = None


@dataclass(slots=True)
class MemoryIdempotencyRecords:
    """The ``IdempotencyRecords`` port over a dict."""

    records: dict[tuple[str, str], _Record] = field(default_factory=dict)

    async def begin(
        self, owner: str, key: str, *, fingerprint: str, token: UUID, now: datetime, until: datetime
    ) -> KeptAnswer | None:
        """See the port."""
        known = self.records.get((owner, key))
        if known is not None and known.fingerprint != fingerprint:
            raise IdempotencyKeyReused
        if known is not None and known.answer is not None:
            return known.answer
        if known is not None and known.until > now:
            raise IdempotencyInFlight
        self.records[owner, key] = _Record(fingerprint=fingerprint, token=token, begun_at=now, until=until)
        return None

    async def prolong(self, owner: str, key: str, *, token: UUID, until: datetime) -> None:
        """See the port."""
        known = self.records.get((owner, key))
        if known is not None and known.token == token and known.answer is None:
            known.until = until

    async def finish(self, owner: str, key: str, *, token: UUID, answer: KeptAnswer) -> None:
        """See the port."""
        known = self.records.get((owner, key))
        if known is not None and known.token == token and known.answer is None:
            known.answer = answer

    async def abandon(self, owner: str, key: str, *, token: UUID) -> None:
        """See the port."""
        known = self.records.get((owner, key))
        if known is not None and known.token == token and known.answer is None:
            del self.records[owner, key]

    async def forget(self, *, before: datetime, limit: int) -> int:
        """See the port."""
        gone = [name for name, one in self.records.items() if one.begun_at < before][:limit]
        for name in gone:
            del self.records[name]
        return len(gone)
