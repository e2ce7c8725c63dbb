"""Prepares the archives that were asked for, in whichever process has room."""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from types import TracebackType
from typing import Self

from application.archives.beats import Beats, NotWanted
from application.archives.counting import COUNTED_AT_MOST, count
from application.archives.packing import Packing
from application.ports.archives import Archives
from application.ports.clock import Clock
from application.ports.object_storage import ObjectStorage
from domain.archive import Archive, ArchiveNotFound, ArchiveStatus
from domain.errors import FactflowError

log = logging.getLogger(__name__)

MOST_AT_ONCE = 2
MOST_ATTEMPTS = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class ArchiveSettings:
    """``beat_seconds`` is how often a preparation says that it goes on, which is also how soon it hears that it is
    cancelled; one that is silent for ``silent_seconds`` is begun again elsewhere. ``kept_seconds`` is how long an
    archive and its file are kept.
    """

    poll_seconds: float = 5.0
    beat_seconds: float = 0.5
    silent_seconds: float = 30.0
    kept_seconds: float = 86_400.0


@dataclass(slots=True, kw_only=True, eq=False)
class ArchiveWorker:
    """Prepares archives while ``async with`` lasts, two at a time; leaving it gives back what is unfinished.

    A preparation whose process dies is begun again by any other, three times in all.
    """

    archives: Archives
    storage: ObjectStorage
    clock: Clock
    settings: ArchiveSettings = field(default_factory=ArchiveSettings)
    _woken: asyncio.Event = field(default_factory=asyncio.Event)
    _tasks: list[asyncio.Task[None]] = field(default_factory=list)

    async def __aenter__(self) -> Self:
        self._tasks = [
            asyncio.create_task(self._work(), name=f"archives {number}") for number in range(MOST_AT_ONCE)
        ]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def wake(self) -> None:
        """Look at once for archives to prepare."""
        self._woken.set()

    async def _work(self) -> None:
        while True:
            self._woken.clear()
            try:
                await self._forget()
                found = await self.archives.claim(silent_since=self._silent_since(), now=self.clock.now())
                if found is not None:
                    await self._prepare(found)
                    continue
            except FactflowError as error:
                log.warning("archives cannot be prepared: %s", error.message)
            except Exception:
                # A defect is to be seen, and must not keep later archives from being prepared.
                log.exception("archives cannot be prepared")
            with suppress(TimeoutError):
                async with asyncio.timeout(self.settings.poll_seconds):
                    await self._woken.wait()

    def _silent_since(self) -> datetime:
        return self.clock.now() - timedelta(seconds=self.settings.silent_seconds)

    async def _prepare(self, archive: Archive) -> None:
        if archive.attempts > MOST_ATTEMPTS:
            await self._fail(archive, f"it was begun {MOST_ATTEMPTS} times and never came to its end")
            return
        try:
            beats = Beats(
                archives=self.archives,
                clock=self.clock,
                archive=replace(archive, processed=0, bytes_packed=0),
                seconds=self.settings.beat_seconds,
            )
            await beats.during(self._packed(beats))
        except NotWanted:
            log.info("archive %s is not wanted any more", archive.id)
            await self._clean(archive)
        except FactflowError as error:
            await self._fail(archive, error.message)
        except asyncio.CancelledError:
            with suppress(FactflowError):
                await self.archives.update(replace(archive, alive_at=None, processed=0, bytes_packed=0))
            raise
        except Exception as error:
            await self._fail(archive, f"{type(error).__name__}: {error}")
            raise

    async def _packed(self, beats: Beats) -> None:
        await beats.progress(await self._counted(beats.archive))
        await self._pack(beats)

    async def _counted(self, archive: Archive) -> Archive:
        if archive.is_total_exact:
            return archive
        found = await count(self.storage, archive.selection, most=COUNTED_AT_MOST)
        return replace(archive, total=found.objects, is_total_exact=found.is_exact)

    async def _pack(self, beats: Beats) -> None:
        archive = beats.archive
        packing = Packing(self.storage, archive, beats.progress)
        metadata = {"job_id": str(archive.id), "execution_id": str(archive.selection.execution_id)}
        stored = await self.storage.write(
            archive.key, packing.chunks(), content_type="application/zip", metadata=metadata
        )
        done = packing.archive
        ready = replace(done, total=done.processed, is_total_exact=True).ended(
            ArchiveStatus.READY, at=self.clock.now(), size=stored.size
        )
        if not await self.archives.update(ready):
            raise NotWanted

    async def _clean(self, archive: Archive) -> None:
        """Remove the file of an archive that was cancelled in the last moment; not one that another has made meanwhile."""
        with suppress(ArchiveNotFound):
            known = await self.archives.get(archive.id)
            if known.status in {ArchiveStatus.PREPARING, ArchiveStatus.READY}:
                return
        await self.storage.delete(archive.key)

    async def _fail(self, archive: Archive, error: str) -> None:
        log.warning("archive %s failed: %s", archive.id, error)
        with suppress(FactflowError):
            failed = archive.ended(ArchiveStatus.FAILED, at=self.clock.now(), error=error)
            await self.archives.update(failed)

    async def _forget(self) -> None:
        before = self.clock.now() - timedelta(seconds=self.settings.kept_seconds)
        for archive in await self.archives.ended(before=before):
            await self.storage.delete(archive.key)
            await self.archives.remove(archive.id)
