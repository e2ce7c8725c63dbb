"""The audit log: writing what was done, and reading it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from application.batcher import Batcher
from application.ports.audit_log import AuditLog, AuditPage
from application.ports.clock import Clock
from domain.access.audit import AuditEntry, AuditFilter, AuditOutcome, storable
from domain.access.rate import TokenBucket
from domain.errors import FactflowError

log = logging.getLogger(__name__)

WRITE_SECONDS = 5.0
REFUSALS_PER_MINUTE = 600
BATCH = 200


@dataclass(slots=True, kw_only=True)
class Audit:
    """Who did what. Entries of requests in flight together are written together.

    Of refusals, which anybody can cause, so many a minute are written and the rest are counted in the server's log.
    """

    log: AuditLog
    clock: Clock
    _batcher: Batcher[AuditEntry, None] = field(init=False)
    _refusals: TokenBucket = field(init=False)

    def __post_init__(self) -> None:
        self._batcher = Batcher(self._append, size=BATCH)
        self._refusals = TokenBucket.per_minute(REFUSALS_PER_MINUTE, at=self.clock.monotonic())

    async def record(self, entry: AuditEntry) -> None:
        """Write an entry and return when it is kept. What cannot be kept goes whole into the server's log."""
        if entry.outcome is AuditOutcome.REFUSED and not self._has_room():
            log.warning("refused and not audited, as there are too many refusals: %s", entry)
            return
        try:
            async with asyncio.timeout(WRITE_SECONDS):
                await self._batcher.submit(_kept(entry))
        except (FactflowError, TimeoutError) as error:
            log.error("the audit log could not be written (%s): %s", error, entry)  # noqa: TRY400 (the entry matters)

    async def list(
        self, wanted: AuditFilter, *, limit: int = 100, offset: int = 0, before: int | None = None
    ) -> AuditPage:
        """A page of the entries meant, the latest first, from before a position."""
        return await self.log.list(wanted, limit=limit, offset=offset, before=before)

    def _has_room(self) -> bool:
        self._refusals, wait = self._refusals.taken(self.clock.monotonic())
        return not wait

    async def _append(self, entries: Sequence[AuditEntry]) -> Sequence[None]:
        await self.log.append(entries)
        return [None] * len(entries)


def _kept(entry: AuditEntry) -> AuditEntry:
    texts = {name: storable(getattr(entry, name)) for name in ("name", "object", "request_id", "address")}
    return replace(entry, **texts)  # type: ignore[arg-type]
