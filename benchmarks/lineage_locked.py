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
MB = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A run of which a stretch of time was measured: with the table locked, or undisturbed.

    ``dropped`` counts entries, ``missing`` those that the ledger says there should be and the table does not hold.
    """

    name: str
    rate: float
    resident: int
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
        free, _ = await _part(stack, "undisturbed", messages, rate, seconds)
        progress(f"{NAME}: the same, with the table locked for {seconds:g} s")
        locked, _ = await _part(stack, "locked", messages, rate, seconds)
        return _outcome(free, locked, rate)


async def _part(stack: Stack, name: str, messages: int, rate: float, seconds: float) -> tuple[Part, UUID]:
    before = stack.lineage.dropped
    execution_id = await stack.start(messages, rate=rate)
    await asyncio.sleep(LEAD_IN_SECONDS + SETTLING_SECONDS)
    async with _lock(stack, is_wanted=name == "locked"):
        settled, began, resident = len(stack.course.settled), time.perf_counter(), 0
        while time.perf_counter() - began < seconds:
            await asyncio.sleep(0.1)
            resident = max(resident, psutil.Process().memory_info().rss)
        through = (len(stack.course.settled) - settled) / (time.perf_counter() - began)
    await stack.ended(execution_id, messages)
    expected = 1 + stack.routes * messages
    return (
        Part(
            name=name,
            rate=through,
            resident=resident,
            dropped=stack.lineage.dropped - before,
            missing=expected - await stack.entries(execution_id),
        ),
        execution_id,
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


def _outcome(free: Part, locked: Part, rate: float) -> Outcome:
    parts: Sequence[Part] = (free, locked)
    return Outcome(
        benchmark=NAME,
        columns=["lineage table", "messages/s", "MB at most", "dropped", "missing"],
        rows=[[part.name, part.rate, part.resident / MB, part.dropped, part.missing] for part in parts],
        figures=[
            Figure(name="throughput, locked / undisturbed", value=locked.rate / free.rate, unit="", at_least=MIN_RATIO),
            Figure(
                name="memory, locked beyond undisturbed", value=(locked.resident - free.resident) / MB, unit="MB",
                at_most=MAX_EXTRA_MB,
            ),
            Figure(
                name="entries missing that were not counted", value=abs(locked.missing - locked.dropped), unit="",
                at_most=0,
            ),
            Figure(name="rate", value=rate, unit="messages a second"),
        ],
        notes=["Missing are the entries that the table lacks for messages which the ledger has settled."],
    )  # fmt: skip
