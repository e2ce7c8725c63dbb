"""How long what is kept is kept."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from application.ports.clock import Clock
from domain.errors import FactflowError

log = logging.getLogger(__name__)

AT_ONCE = 1000
PAUSE_SECONDS = 0.05
"""Between two batches, so that forgetting much leaves the database to those who work."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """Something that is kept for so many days.

    ``forget`` is a port's: it takes ``before`` and ``limit``, forgets up to so many of what is older, and returns how many.
    """

    name: str
    days: float
    forget: Callable[..., Awaitable[int]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Forgetting:
    """Forgets each kind of what is kept once it is old enough, in the order given."""

    kept: Sequence[Kept]
    clock: Clock

    async def forget(self) -> dict[str, int]:
        """Forget what is old by now; returns how many rows of each. One kind that fails does not keep the others."""
        now = self.clock.now()
        counts: dict[str, int] = {}
        for one in self.kept:
            try:
                counts[one.name] = await self._forget(one, now - timedelta(days=one.days))
            except FactflowError as error:
                log.warning("old %s cannot be forgotten: %s", one.name, error.message)
            except Exception:
                # A defect is to be seen, and concerns no other kind.
                log.exception("old %s cannot be forgotten", one.name)
        if any(counts.values()):
            log.info("forgotten: %s", ", ".join(f"{count} {name}" for name, count in counts.items()))
        return counts

    async def _forget(self, one: Kept, before: datetime) -> int:
        total = 0
        while count := await one.forget(before=before, limit=AT_ONCE):
            total += count
            await self.clock.sleep(PAUSE_SECONDS)
        return total
