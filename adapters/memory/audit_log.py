"""The audit log in memory."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from itertools import count

from application.ports.audit_log import AuditPage
from application.ports.counting import COUNTED_EXACTLY
from domain.access.audit import AuditEntry, AuditFilter


@dataclass(slots=True)
class MemoryAuditLog:
    """The ``AuditLog`` port over a list."""

    entries: list[AuditEntry] = field(default_factory=list)
    _positions: count[int] = field(default_factory=lambda: count(1))

    async def append(self, entries: Sequence[AuditEntry]) -> None:
        """See the port."""
        self.entries += [replace(one, position=next(self._positions)) for one in entries]

    async def list(
        self, wanted: AuditFilter, *, limit: int, offset: int = 0, before: int | None = None
    ) -> AuditPage:
        """See the port."""
        meant = [one for one in reversed(self.entries) if wanted.means(one)]
        left = [one for one in meant if before is None or one.position < before][offset:]
        page = left[:limit]
        return AuditPage(
            entries=page,
            total=min(len(meant), COUNTED_EXACTLY),
            is_total_exact=len(meant) <= COUNTED_EXACTLY,
            following=page[-1].position if len(left) > limit else None,
        )

    async def forget(self, *, before: datetime, limit: int) -> int:
        """See the port."""
        gone = sorted((one for one in self.entries if one.at < before), key=lambda one: one.at)[:limit]
        self.entries[:] = [one for one in self.entries if one not in gone]
        return len(gone)
