"""What is done beside the requests: noting when keys were used."""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

from application.access.doorkeeper import Doorkeeper
from domain.errors import FactflowError

log = logging.getLogger(__name__)

NOTE_SECONDS = 10.0


@dataclass(slots=True, kw_only=True)
class AccessCare:
    """Works while ``async with`` lasts; leaving it notes the last uses."""

    doorkeeper: Doorkeeper
    _worker: asyncio.Task[None] | None = field(default=None)

    async def __aenter__(self) -> Self:
        self._worker = asyncio.create_task(self._work(), name="access care")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._worker is not None:
            self._worker.cancel()
            with suppress(asyncio.CancelledError):
                await self._worker
        await self.note_uses()

    async def note_uses(self) -> None:
        """Write when keys were last used; what cannot be written is left out."""
        used = self.doorkeeper.take_used()
        if not used:
            return
        try:
            await self.doorkeeper.keys.touch(used)
        except FactflowError as error:
            log.warning("the last uses of API keys could not be noted: %s", error.message)

    async def _work(self) -> None:
        while True:
            await self.doorkeeper.clock.sleep(NOTE_SECONDS)
            await self.note_uses()
