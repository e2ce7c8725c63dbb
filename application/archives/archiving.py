"""Archives as whoever wants one sees them: asked for, looked after, downloaded, cancelled."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from application.archives.archive_worker import ArchiveWorker
from application.archives.counting import COUNTED_AT_MOST, COUNTED_AT_ONCE, ObjectCount, count
from application.executions import Executions
from application.ports.archives import Archives
from application.ports.clock import Clock
from application.ports.id_source import IdSource
from application.ports.object_storage import ObjectStorage
from domain.archive import (
    Archive,
    ArchiveNotFound,
    ArchiveNotReady,
    ArchiveStatus,
    NothingSelected,
    ObjectSelection,
)
from domain.storage import StoredObject


@dataclass(frozen=True, slots=True, kw_only=True)
class Archiving:
    """What can be done with archives. ``worker`` prepares them, in this process or another."""

    archives: Archives
    storage: ObjectStorage
    executions: Executions
    clock: Clock
    ids: IdSource
    worker: ArchiveWorker

    async def prepare(self, selection: ObjectSelection, *, includes_metadata: bool = True) -> Archive:
        """Ask for an archive, which is prepared behind the answer; raises ExecutionNotFound, NothingSelected."""
        execution = await self.executions.get(str(selection.execution_id))
        found = await count(self.storage, selection, most=COUNTED_AT_ONCE)
        if not found.objects:
            raise NothingSelected
        archive = Archive(
            id=self.ids.new_id(),
            selection=selection,
            filename=f"execution-{execution.tag or execution.id}.zip",
            created_at=self.clock.now(),
            includes_metadata=includes_metadata,
            total=found.objects,
            is_total_exact=found.is_exact,
        )
        await self.archives.add(archive)
        self.worker.wake()
        return archive

    async def get(self, archive_id: UUID) -> Archive:
        """How an archive stands; raises ArchiveNotFound."""
        return await self.archives.get(archive_id)

    async def ready(self, archive_id: UUID) -> tuple[Archive, StoredObject]:
        """An archive that can be downloaded, and its file; raises ArchiveNotFound, ArchiveNotReady, ObjectNotFound."""
        archive = await self.archives.get(archive_id)
        if archive.status is not ArchiveStatus.READY:
            raise ArchiveNotReady(f"the archive cannot be downloaded: it is {archive.status}")
        return archive, await self.storage.head(archive.key)

    async def discard(self, archive_id: UUID) -> None:
        """Cancel an archive that is being prepared, or forget one that has ended, with its file.

        Raises ArchiveNotFound. What is cancelled says so until it is forgotten, at a second call or after a day.
        """
        while True:
            archive = await self.archives.get(archive_id)
            if archive.status is not ArchiveStatus.PREPARING:
                break
            if await self.archives.update(archive.ended(ArchiveStatus.CANCELLED, at=self.clock.now())):
                return
        await self.storage.delete(archive.key)
        if not await self.archives.remove(archive_id):
            raise ArchiveNotFound

    async def count(self, selection: ObjectSelection) -> ObjectCount:
        """How much is selected, exact up to a million objects; raises ExecutionNotFound."""
        await self.executions.get(str(selection.execution_id))
        return await count(self.storage, selection, most=COUNTED_AT_MOST)

    async def execution_id_of(self, name: str) -> UUID:
        """The id of the execution with that id or tag; raises ExecutionNotFound."""
        return (await self.executions.get(name)).id
