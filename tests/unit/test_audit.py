"""Writing the audit log, when all is well and when it is not."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.memory.api_keys import MemoryApiKeys
from adapters.memory.audit_log import MemoryAuditLog
from adapters.memory.clock import ManualClock
from application.access.audit import REFUSALS_PER_MINUTE, Audit
from application.access.care import NOTE_SECONDS, AccessCare
from application.access.doorkeeper import Doorkeeper
from domain.access.audit import LONGEST_TEXT, AuditEntry, AuditOutcome, outcome_of, storable
from domain.errors import Unavailable
from tests.contracts.access import a_key, a_text, an_entry


@dataclass
class AwayAuditLog(MemoryAuditLog):
    """A log whose store is away."""

    async def append(self, entries: Sequence[AuditEntry]) -> None:
        raise Unavailable("the store is away")


async def test_what_cannot_be_kept_is_in_the_servers_log(caplog: pytest.LogCaptureFixture) -> None:
    """And the request is answered."""
    audit = Audit(log=AwayAuditLog(), clock=ManualClock())
    with caplog.at_level(logging.ERROR):
        await audit.record(an_entry(object="/api/v1/configs/7"))
    assert "the store is away" in caplog.text
    assert "/api/v1/configs/7" in caplog.text


async def test_of_refusals_so_many_are_kept_and_changes_all() -> None:
    kept, clock = MemoryAuditLog(), ManualClock()
    audit = Audit(log=kept, clock=clock)
    refused = an_entry(outcome=AuditOutcome.REFUSED, status=401, owner=None)
    await asyncio.gather(*(audit.record(refused) for _ in range(REFUSALS_PER_MINUTE + 50)))
    await audit.record(an_entry())
    assert len(kept.entries) == REFUSALS_PER_MINUTE + 1
    await clock.advance(1)
    await audit.record(refused)
    assert len(kept.entries) == REFUSALS_PER_MINUTE + 2


@given(st.text())
def test_whatever_text_there_is_can_be_stored(text: str) -> None:
    kept = storable(text)
    assert len(kept) <= LONGEST_TEXT
    assert "\0" not in kept
    kept.encode("utf-8")


def test_a_status_tells_the_outcome() -> None:
    outcomes = {status: outcome_of(status).value for status in (200, 304, 400, 401, 403, 404, 429, 499, 503)}
    assert outcomes == {
        200: "done", 304: "done", 400: "failed", 401: "refused", 403: "refused", 404: "failed", 429: "refused",
        499: "failed", 503: "failed",
    }  # fmt: skip


async def test_the_last_use_of_a_key_is_noted_now_and_then_and_at_the_end() -> None:
    clock, keys = ManualClock(), MemoryApiKeys()
    key = a_key(1)
    await keys.add(key)
    doorkeeper = Doorkeeper(keys=keys, clock=clock)
    async with AccessCare(doorkeeper=doorkeeper):
        await doorkeeper.holder(a_text(1))
        assert (await keys.get(key.id)).last_used_at is None
        first = clock.now()
        await clock.advance(NOTE_SECONDS)
        assert (await keys.get(key.id)).last_used_at == first
        await doorkeeper.holder(a_text(1))
        doorkeeper.used[uuid4()] = clock.now()
    assert (await keys.get(key.id)).last_used_at == clock.now()
