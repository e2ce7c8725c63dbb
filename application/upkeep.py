"""What must be looked after when executions have ended."""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

from application.ports.event_bus import EventBus
from application.search_indexes import Indexes
from domain.errors import FactflowError
from domain.retrieval.vector_indexes import IndexBuildUnderway

log = logging.getLogger(__name__)


@dataclass(slots=True, kw_only=True)
class Upkeep:
    """Builds the indexes that a completed execution has made worth building, while ``async with`` lasts."""

    events: EventBus
    indexes: Indexes
    _worker: asyncio.Task[None] | None = field(default=None)

    async def __aenter__(self) -> Self:
        listening = asyncio.Event()
        self._worker = asyncio.create_task(self._work(listening), name="upkeep")
        await listening.wait()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._worker is not None:
            self._worker.cancel()
            with suppress(asyncio.CancelledError):
                await self._worker

    async def _work(self, listening: asyncio.Event) -> None:
        async with self.events.listen(with_messages=False) as events:
            listening.set()
            async for event in events:
                if event.type == "execution.completed":
                    await self._index()

    async def _index(self) -> None:
        try:
            for managed in await self.indexes.manage(dry_run=False):
                if managed.is_applied:
                    advised = managed.advice
                    log.info("index of slot %s: %s, %s", advised.model_name, advised.action, advised.reason)
        except IndexBuildUnderway:
            log.debug("another process is building indexes")
        except FactflowError as error:
            log.warning("an index could not be built: %s", error.message)
        except Exception:
            # A defect is to be seen, and must not end the upkeep for good.
            log.exception("an index could not be built")
