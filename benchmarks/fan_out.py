"""One message into a million, in one process: is its memory flat, and does it keep its pace as the tables grow."""

from __future__ import annotations

import asyncio
import importlib
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

import psutil  # type: ignore[import-untyped]  # its stubs are a package of their own

from benchmarks.engine import WARM_UP
from benchmarks.message_stack import Stack, message_stack
from benchmarks.messages import BYTES
from benchmarks.outcome import Cell, Figure, Outcome
from benchmarks.printing import progress

NAME = "fan-out"
MESSAGES = 1_000_000
MAX_GROWTH = 1.1
"""Most resident memory after the first tenth, over what it was there: flat, but for what an allocator does."""
MAX_MB = 400
SAMPLE_SECONDS = 0.25
MB = 1_000_000
PARTS = 10


@dataclass(slots=True, kw_only=True)
class Watched:
    """Samples of a run: seconds since its start, messages that arrived, resident bytes of this process."""

    samples: list[tuple[float, int, int]] = field(default_factory=list)

    async def watch(self, stack: Stack) -> None:
        """Take samples until cancelled."""
        process, started = psutil.Process(), time.perf_counter()
        while True:
            resident = process.memory_info().rss
            self.samples.append((time.perf_counter() - started, stack.course.arrivals, resident))
            await asyncio.sleep(SAMPLE_SECONDS)

    def part(self, number: int, messages: int) -> tuple[float, int]:
        """Of the tenth with a number, from 0: messages a second, and the most resident bytes."""
        first, last = number * messages // PARTS, (number + 1) * messages // PARTS
        within = [sample for sample in self.samples if first <= sample[1] <= last] or self.samples[-1:]
        seconds = self._reached(last) - self._reached(first)
        return (last - first) / max(seconds, SAMPLE_SECONDS), max(resident for _, _, resident in within)

    def _reached(self, arrivals: int) -> float:
        return next((at for at, seen, _ in self.samples if seen >= arrivals), self.samples[-1][0])


def measure(*, messages: int | None) -> Outcome:
    """One run; the process has the model loaded and the API imported, as a server has."""
    with TemporaryDirectory(prefix="factflow-benchmark-") as place:
        return asyncio.run(_measured(Path(place) / "data", messages or MESSAGES))


async def _measured(data: Path, messages: int) -> Outcome:
    importlib.import_module("entrypoints.composition.api")
    watched = Watched()
    async with message_stack(data, routes=1, has_model=True) as stack:
        await stack.run(WARM_UP)
        idle = psutil.Process().memory_info().rss
        watching = asyncio.create_task(watched.watch(stack))
        telling = asyncio.create_task(_tell(stack, messages))
        try:
            cost = await stack.run(messages)
            await asyncio.sleep(2 * SAMPLE_SECONDS)
        finally:
            watching.cancel()
            telling.cancel()
        own, postgres = stack.per_hop(cost, messages)
        parts = [watched.part(number, messages) for number in range(PARTS)]
        return _outcome(
            parts,
            [
                *_memory(watched, parts, messages, idle),
                Figure(name="last tenth / first tenth", value=parts[-1][0] / parts[0][0], unit="of the pace"),
                Figure(name="all of it", value=messages / cost.seconds, unit="messages a second"),
                Figure(name="processor time of this process", value=own, unit="µs a message"),
                Figure(name="processor time of PostgreSQL", value=postgres, unit="µs a message"),
                Figure(name="lineage entries dropped", value=stack.lineage.dropped, unit=""),
            ],
            messages,
        )


async def _tell(stack: Stack, messages: int) -> None:
    while True:
        progress(f"{NAME}: {stack.course.arrivals} of {messages} messages")
        await asyncio.sleep(10)


def _memory(
    watched: Watched, parts: Sequence[tuple[float, int]], messages: int, idle: int
) -> Sequence[Figure]:
    after = [resident for _, arrivals, resident in watched.samples if arrivals >= messages // PARTS]
    return [
        Figure(
            name="memory, most after the first tenth / there", value=max(after) / after[0], unit="",
            at_most=MAX_GROWTH,
        ),
        Figure(
            name="memory, most of all", value=max(after[0], *(most for _, most in parts)) / MB, unit="MB",
            at_most=MAX_MB,
        ),
        Figure(name="memory before", value=idle / MB, unit="MB"),
    ]  # fmt: skip


def _outcome(parts: Sequence[tuple[float, int]], figures: Sequence[Figure], messages: int) -> Outcome:
    rows: list[Sequence[Cell]] = [
        [number, pace, most / MB] for number, (pace, most) in enumerate(parts, start=1)
    ]
    return Outcome(
        benchmark=NAME,
        columns=["tenth", "messages/s", "MB at most"],
        rows=rows,
        figures=figures,
        notes=[
            (
                f"One message is fanned out into {messages:,} of {BYTES} bytes, which one route takes, with ledger and "
                "lineage. MB are 1,000,000 bytes resident of this process, which has loaded what a server loads; "
                "PostgreSQL's own processes are not in it."
            )
        ],
    )
