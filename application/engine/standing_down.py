"""What a server does when another one has taken its database: it tells so, and stops working on it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

from application.engine.recovery import Recovery
from application.engine.route_pauses import RoutePauses

log = logging.getLogger(__name__)

REPLACED = "replaced_by_another_server"
"""The reason for which every gate stays closed from then on."""


@dataclass(slots=True, kw_only=True)
class StandingDown:
    """Waits for ``lost`` to return while ``async with`` lasts.

    The other server has swept our claims and resumed our executions, so what is at work here settles nothing any more;
    an execution that is started here from now on is in the ledger, where the other server finds it.
    """

    lost: Callable[[], Awaitable[None]]
    recovery: Recovery
    route_pauses: RoutePauses
    _watch: asyncio.Task[None] | None = field(default=None)

    async def __aenter__(self) -> Self:
        self._watch = asyncio.create_task(self._stand_down(), name="standing down")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._watch is not None:
            self._watch.cancel()
            with suppress(asyncio.CancelledError):
                await self._watch

    async def _stand_down(self) -> None:
        await self.lost()
        log.critical("this server takes no more messages: another one works on the database; stop this one")
        self.route_pauses.close_all(REPLACED)
        await self.recovery.stand_down()
