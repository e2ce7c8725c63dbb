"""Keeps what is written of who did what."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from domain.access.audit import AuditEntry, AuditFilter


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditPage:
    """A page of entries. ``total`` counts all that are meant up to COUNTED_EXACTLY: ``is_total_exact`` says so.

    ``following`` is the position before which the next page begins, None on the last one.
    """

    entries: Sequence[AuditEntry]
    total: int
    is_total_exact: bool = True
    following: int | None = None


class AuditLog(Protocol):
    """Entries that are added and never changed. Raises Unavailable when the store cannot be reached."""

    async def append(self, entries: Sequence[AuditEntry]) -> None:
        """Keep entries, all or none, in their order; each gets a position after those of all before it."""
        ...

    async def list(
        self, wanted: AuditFilter, *, limit: int, offset: int = 0, before: int | None = None
    ) -> AuditPage:
        """A page of the entries meant, the latest first, from before a position, passing over ``offset`` more."""
        ...

    async def forget(self, *, before: datetime, limit: int) -> int:
        """Remove up to so many entries from before a moment, the oldest first; returns how many that were."""
        ...
