"""The lease of this process, renewed whatever else the process is at."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from uuid import UUID

from application.engine.engine import Engine
from application.ports.leases import Leases, WorkerFacts
from domain.errors import Unavailable

log = logging.getLogger(__name__)

RENEWALS_PER_LEASE = 3


@dataclass(slots=True, kw_only=True)
class HeldLease:
    """Says that this process lives, and which executions it runs.

    ``tried`` is set with every attempt of ``keep`` to renew it, whatever came of it.
    """

    engine: Engine
    leases: Leases
    worker: WorkerFacts
    tried: asyncio.Event = field(default_factory=asyncio.Event)
    _turn: asyncio.Lock = field(default_factory=asyncio.Lock)
    _stated: frozenset[UUID] = frozenset()
    _held_until: datetime | None = None
    _held_since: datetime | None = None

    async def keep(self) -> None:
        """Renew it again and again until cancelled, and do nothing else that could take its time."""
        ports = self.engine.ports
        while True:
            await ports.clock.sleep(ports.settings.lease / RENEWALS_PER_LEASE)
            try:
                await self.renew()
            except Unavailable as error:
                log.warning("the lease could not be renewed: %s", error)
            except Exception:
                log.exception("the lease could not be renewed, which will be tried again")
            self.tried.set()

    async def renew(self) -> None:
        """Hold it for its length from now on; raises Unavailable."""
        ports = self.engine.ports
        # In turn: what was said last must be what was looked up last.
        async with self._turn:
            now = ports.clock.now()
            until = now + self._length
            running, worker = (
                self.engine.running,
                replace(self.worker, in_hand=self.engine.quarantine.at_work),
            )
            await self.leases.hold(ports.owner, until=until, executions=running, worker=worker)
            self._stated = frozenset(running)
            if self._held_until is None or self._held_until <= now:
                self._held_since = now
            self._held_until = until

    async def state_anew(self) -> None:
        """Renew it at once if it lacks an execution that was joined: what is in no lease counts as abandoned."""
        if self.engine.shares and not self._stated.issuperset(self.engine.joined):
            await self.renew()

    def may_judge(self, now: datetime) -> bool:
        """Whether those whose leases have run out are gone, as far as ours tells that they could have been renewed.

        Theirs may have been renewed last before ours was, by the pause between two renewals.
        """
        if self._held_until is None or self._held_since is None:
            return False
        is_fresh = now < self._held_until - self._length / RENEWALS_PER_LEASE
        return is_fresh and now - self._held_since >= self._length

    @property
    def _length(self) -> timedelta:
        return timedelta(seconds=self.engine.ports.settings.lease)
