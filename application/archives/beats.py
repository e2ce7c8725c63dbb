"""Says of an archive that its preparation goes on, however long one step of it takes."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine
from dataclasses import dataclass, replace

from application.ports.archives import Archives
from application.ports.clock import Clock
from domain.archive import Archive
from domain.errors import Unavailable

log = logging.getLogger(__name__)


class NotWanted(Exception):
    """The archive was cancelled, or another process prepares it."""


@dataclass(slots=True, kw_only=True)
class Beats:
    """Keeps how an archive stands every so many seconds, beside the work on it."""

    archives: Archives
    clock: Clock
    archive: Archive
    seconds: float

    async def progress(self, archive: Archive) -> None:
        """The archive as it stands now; the next beat keeps it."""
        self.archive = archive

    async def during(self, work: Coroutine[object, object, None]) -> None:
        """Wait for work on the archive; raises what it raises, and NotWanted once the archive is not ours any more.

        Then, and when the wait is cancelled, the work is cancelled.
        """
        working = asyncio.create_task(work, name="archive")
        beating = asyncio.create_task(self._beat(), name="archive beats")
        try:
            await asyncio.wait({working, beating}, return_when=asyncio.FIRST_COMPLETED)
            # Whoever has come to the end has ended the archive, which a beat may take for having lost it.
            await (working if working.done() else beating)
        finally:
            for task in (working, beating):
                task.cancel()
            await asyncio.gather(working, beating, return_exceptions=True)

    async def _beat(self) -> None:
        while True:
            await self.clock.sleep(self.seconds)
            try:
                is_ours = await self.archives.update(replace(self.archive, alive_at=self.clock.now()))
            except Unavailable as error:
                # Who is silent for too long loses the archive, and is told so as soon as the database is back.
                log.warning("the progress of an archive cannot be kept: %s", error.message)
                continue
            if not is_ours:
                raise NotWanted
