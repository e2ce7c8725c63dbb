"""How the archives stand that were asked for."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol
from uuid import UUID

from domain.archive import Archive


class Archives(Protocol):
    """Archives by id, over restarts and for every process. Whoever prepares one is fenced by its attempt."""

    async def add(self, archive: Archive) -> None:
        """Keep a new archive."""
        ...

    async def get(self, archive_id: UUID) -> Archive:
        """One archive; raises ArchiveNotFound."""
        ...

    async def claim(self, *, silent_since: datetime, now: datetime) -> Archive | None:
        """Take the oldest archive that is preparing and of which nobody has said since then that it prepares it.

        It has one attempt more, and ``alive_at`` is now. Of several who claim at once each gets another, or None.
        """
        ...

    async def update(self, archive: Archive) -> bool:
        """Keep how the archive stands now; whether it was still preparing, in that attempt. Otherwise nothing changes."""
        ...

    async def remove(self, archive_id: UUID) -> bool:
        """Forget the archive; whether there was one."""
        ...

    async def ended(self, *, before: datetime, limit: int = 100) -> Sequence[Archive]:
        """Archives that ended before that moment, the first to end first."""
        ...
