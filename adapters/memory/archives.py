"""Archives in memory."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from uuid import UUID

from domain.archive import Archive, ArchiveNotFound, ArchiveStatus


class MemoryArchives:
    """The ``Archives`` port over a dictionary."""

    def __init__(self) -> None:
        self._archives: dict[UUID, Archive] = {}

    async def add(self, archive: Archive) -> None:
        """See the port."""
        self._archives[archive.id] = archive

    async def get(self, archive_id: UUID) -> Archive:
        """See the port."""
        if archive_id not in self._archives:
            raise ArchiveNotFound
        return self._archives[archive_id]

    async def claim(self, *, silent_since: datetime, now: datetime) -> Archive | None:
        """See the port."""
        waiting = [
            archive
            for archive in self._archives.values()
            if archive.status is ArchiveStatus.PREPARING
            and (archive.alive_at is None or archive.alive_at < silent_since)
        ]
        if not waiting:
            return None
        oldest = min(waiting, key=lambda archive: (archive.created_at, archive.id))
        claimed = replace(oldest, attempts=oldest.attempts + 1, alive_at=now)
        self._archives[claimed.id] = claimed
        return claimed

    async def update(self, archive: Archive) -> bool:
        """See the port."""
        known = self._archives.get(archive.id)
        if known is None or known.status is not ArchiveStatus.PREPARING or known.attempts != archive.attempts:
            return False
        self._archives[archive.id] = archive
        return True

    async def remove(self, archive_id: UUID) -> bool:
        """See the port."""
        return self._archives.pop(archive_id, None) is not None

    async def ended(self, *, before: datetime, limit: int = 100) -> Sequence[Archive]:
        """See the port."""
        found = [
            (archive.ended_at, archive.id, archive)
            for archive in self._archives.values()
            if archive.ended_at is not None and archive.ended_at < before
        ]
        return [archive for *_, archive in sorted(found)[:limit]]
