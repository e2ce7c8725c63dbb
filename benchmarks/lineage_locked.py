"""The lineage table locked by another session: does the flow go on, stay bounded, and know what it lost."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from uuid import UUID

import psutil  # type: ignore[import-untyped]  # its stubs are a package of their own
import psycopg

from benchmarks.lineage_cost import SHARE_OF_MAXIMUM, maximum
from benchmarks.message_stack import Stack, message_stack
from benchmarks.messages import LEAD_IN_SECONDS
from benchmarks.outcome import Figure, Outcome
from benchmarks.printing import progress

NAME = "lineage-locked"
MIN_RATIO = 0.9
MAX_EXTRA_MB = 100
SETTLING_SECONDS = 2.0
"""How long the messages flow before the measured time begins."""
SAMPLE_SECONDS = 0.1
MB = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A run of which a stretch of time was measured: with the table locked, or undisturbed.

    ``waited`` is the most entries that waited in the buffer, ``dropped`` those for which there was no room. A message has
    one entry for each hop, so ``missing``, the messages that lineage does not know, are as many as were dropped.
    """

    name: str
    rate: float
    resident: int
    waited: int
    dropped: int
    missing: int


def measure(*, seconds: float) -> Outcome:
    """One undisturbed run and one with the table locked for so long, at 70 % of the most that goes through."""
    with TemporaryDirectory(prefix="factflow-benchmark-") as place:
        return asyncio.run(_measured(Path(place) / "data", seconds))


async def _measured(data: Path, seconds: float) -> Outcome:
    async with message_stack(data, is_paced=True) as stack:
        rate = SHARE_OF_MAXIMUM * await maximum(stack, 3)
        messages = int(rate * (seconds + SETTLING_SECONDS))
        progress(f"{NAME}: {messages} messages at {rate:.0f} a second, undisturbed")
        free = await _part(stack, await stack.start(messages, rate=rate), messages, seconds, is_locked=False)
        progress(f"{NAME}: the same, with the table locked for {seconds:g} s")
        execution_id = await stack.start(messages, rate=rate)
        locked = await _part(stack, execution_id, messages, seconds, is_locked=True)
        progress(f"{NAME}: {locked.missing} messages are missing in lineage; now they are repaired")
        began = time.perf_counter()
        repaired = await stack.application.lineage_repair.repair(str(execution_id))
        took = time.perf_counter() - began
        left = (await stack.application.lineage_repair.gap(str(execution_id))).missing
        capacity = (await stack.lineage.check()).details["capacity"]
        figures = [
            Figure(name="entries written by the repair", value=repaired.entries, unit=""),
            Figure(name="the repair took", value=took, unit="s"),
            Figure(name="messages missing after it", value=left, unit="", at_most=0),
            Figure(name="entries waiting at most", value=locked.waited, unit="", at_most=capacity),
            Figure(name="rate", value=rate, unit="messages a second"),
        ]
        return _outcome(free, locked, figures)


async def _part(stack: Stack, execution_id: UUID, messages: int, seconds: float, *, is_locked: bool) -> Part:
    dropped = stack.lineage.dropped
    await asyncio.sleep(LEAD_IN_SECONDS + SETTLING_SECONDS)
    async with _lock(stack, is_wanted=is_locked):
        settled, began, resident, waited = len(stack.course.settled), time.perf_counter(), 0, 0
        while time.perf_counter() - began < seconds:
            await asyncio.sleep(SAMPLE_SECONDS)
            resident = max(resident, psutil.Process().memory_info().rss)
            waited = max(waited, (await stack.lineage.check()).details["waiting"])
        through = (len(stack.course.settled) - settled) / (time.perf_counter() - began)
    await stack.ended(execution_id, messages)
    return Part(
        name="locked" if is_locked else "undisturbed",
        rate=through,
        resident=resident,
        waited=waited,
        dropped=stack.lineage.dropped - dropped,
        missing=(await stack.application.lineage_repair.gap(str(execution_id))).missing,
    )


@asynccontextmanager
async def _lock(stack: Stack, *, is_wanted: bool) -> AsyncIterator[None]:
    """Hold the lineage table against everybody, readers too, as a careless migration would."""
    if not is_wanted:
        yield
        return
    async with (
        await psycopg.AsyncConnection.connect(stack.postgres.url()) as connection,
        connection.transaction(),
    ):
        await connection.execute("LOCK TABLE lineage_entry IN ACCESS EXCLUSIVE MODE")
        yield


def _outcome(free: Part, locked: Part, figures: Sequence[Figure]) -> Outcome:
    return Outcome(
        benchmark=NAME,
        columns=["lineage table", "messages/s", "MB at most", "waiting at most", "dropped", "missing"],
        rows=[
            [part.name, part.rate, part.resident / MB, part.waited, part.dropped, part.missing]
            for part in (free, locked)
        ],
        figures=[
            Figure(
                name="throughput, locked / undisturbed",
                value=locked.rate / free.rate,
                unit="",
                at_least=MIN_RATIO,
            ),
            Figure(
                name="memory, locked beyond undisturbed",
                value=(locked.resident - free.resident) / MB,
                unit="MB",
                at_most=MAX_EXTRA_MB,
            ),
            Figure(
                name="dropped entries that the gap does not show",
                value=abs(locked.missing - locked.dropped),
                unit="",
                at_most=0,
            ),
            *figures,
        ],
        notes=[
            "Missing are the messages that the ledger has settled and of which lineage lacks an entry: the gap."
        ],
    )
