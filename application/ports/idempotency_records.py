"""Keeps what was answered to requests that may be repeated."""

from __future__ import annotations

from datetime import datetime
from typing import Protocol
from uuid import UUID

from domain.idempotency import KeptAnswer


class IdempotencyRecords(Protocol):
    """One record for each principal and key. Raises Unavailable when the store cannot be reached."""

    async def begin(
        self, owner: str, key: str, *, fingerprint: str, token: UUID, now: datetime, until: datetime
    ) -> KeptAnswer | None:
        """Take a request up under a token, or tell what it was answered before; of several at once one takes it up.

        Whoever has taken it up has until then; afterwards another may. Raises IdempotencyInFlight while it is taken
        up, IdempotencyKeyReused when the key stands for another fingerprint.
        """
        ...

    async def prolong(self, owner: str, key: str, *, token: UUID, until: datetime) -> None:
        """Give whoever has taken the request up under this token longer; nothing happens under another, or once answered."""
        ...

    async def finish(self, owner: str, key: str, *, token: UUID, answer: KeptAnswer) -> None:
        """Keep the answer; nothing happens when the request was meanwhile taken up under another token."""
        ...

    async def abandon(self, owner: str, key: str, *, token: UUID) -> None:
        """Forget the key, so that the request can be repeated; nothing happens under another token, or once answered."""
        ...

    async def forget(self, *, before: datetime, limit: int) -> int:
        """Remove up to so many records that were begun before a moment; returns how many that were."""
        ...
