"""Lineage on against lineage off, at a fixed rate of 70 % of the most that goes through with lineage on."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

from benchmarks.engine import WARM_UP
from benchmarks.message_stack import Stack, message_stack
from benchmarks.outcome import Cell, Figure, NotMeasurable, Outcome
from benchmarks.printing import progress
from benchmarks.stack import Cost

NAME = "lineage-cost"
ON, OFF = "on", "off"
SHARE_OF_MAXIMUM = 0.7
MAX_RATIO = 1.1
SECONDS = 6
"""How long a run lasts: short, so that what else the machine does falls on both alike."""
ORDER = (ON, OFF, OFF, ON)
"""The runs of a round; whatever changes steadily, such as the size of the tables, then falls on both alike."""
MESSAGES_TO_FIND_THE_MAXIMUM = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Paced:
    """One run at a fixed rate: what it cost, and a message's seconds from its due moment to its last settlement."""

    cost: Cost
    messages: int
    p50: float
    p99: float


def measure(*, messages: int | None, rounds: int) -> Outcome:
    """Alternate the two in one stack; the figures are of medians."""
    with TemporaryDirectory(prefix="factflow-benchmark-") as place:
        return asyncio.run(_measured(Path(place) / "data", messages, rounds))


async def maximum(stack: Stack, rounds: int) -> float:
    """The most messages a second that go through, of some rounds."""
    await stack.run(WARM_UP)
    rates = []
    for number in range(1, rounds + 1):
        cost = await stack.run(MESSAGES_TO_FIND_THE_MAXIMUM)
        rates.append(MESSAGES_TO_FIND_THE_MAXIMUM / cost.seconds)
        progress(f"the most that goes through, round {number}: {rates[-1]:.0f} messages a second")
    return median(rates)


async def paced(stack: Stack, messages: int, rate: float) -> Paced:
    """Send messages at a fixed rate, whatever becomes of those before; raises NotMeasurable if one is missing."""
    cost = await stack.run(messages, rate=rate)
    latencies = sorted(stack.course.latencies())
    if len(latencies) != messages:
        raise NotMeasurable(f"the settlement of {len(latencies)} of {messages} messages was seen")
    return Paced(cost=cost, messages=messages, p50=_quantile(latencies, 0.5), p99=_quantile(latencies, 0.99))


async def _measured(data: Path, messages: int | None, rounds: int) -> Outcome:
    runs: dict[str, list[Paced]] = {ON: [], OFF: []}
    async with message_stack(data, is_paced=True) as stack:
        most = await maximum(stack, 3)
        rate = SHARE_OF_MAXIMUM * most
        count = messages or int(SECONDS * rate)
        for number in range(1, rounds + 1):
            for name in ORDER:
                progress(f"{NAME}: round {number} of {rounds}, {count} messages, lineage {name}")
                stack.lineage.is_on = name == ON
                runs[name].append(await paced(stack, count, rate))
        return _outcome(stack, runs, most, rate)


def _outcome(stack: Stack, runs: Mapping[str, Sequence[Paced]], most: float, rate: float) -> Outcome:
    p50 = {name: median(run.p50 for run in taken) for name, taken in runs.items()}
    p99 = {name: median(run.p99 for run in taken) for name, taken in runs.items()}
    rows: list[Sequence[Cell]] = [
        [name, number, run.p50 * 1000, run.p99 * 1000, *stack.per_hop(run.cost, run.messages)]
        for name, taken in runs.items()
        for number, run in enumerate(taken, start=1)
    ]
    return Outcome(
        benchmark=NAME,
        columns=["lineage", "run", "p50 ms", "p99 ms", "own µs/hop", "PostgreSQL µs/hop"],
        rows=rows,
        figures=[
            Figure(name="p50, lineage on / off", value=p50[ON] / p50[OFF], unit="", at_most=MAX_RATIO),
            Figure(name="p99, lineage on / off", value=p99[ON] / p99[OFF], unit="", at_most=MAX_RATIO),
            *(Figure(name=f"p50, lineage {name}", value=p50[name] * 1000, unit="ms") for name in runs),
            *(Figure(name=f"p99, lineage {name}", value=p99[name] * 1000, unit="ms") for name in runs),
            *_hop_figures(stack, runs),
            Figure(name="most that goes through", value=most, unit="messages a second"),
            Figure(name="rate", value=rate, unit="messages a second"),
        ],
        notes=[
            (
                "Latency runs from the moment at which a message was due to leave the first route, whatever held it up, to "
                "the commit of its settlement in the third. Off means that the entries are made and then dropped."
            ),
            f"{stack.lineage.dropped} lineage entries were dropped while it was on.",
        ],
    )


def _hop_figures(stack: Stack, runs: Mapping[str, Sequence[Paced]]) -> Sequence[Figure]:
    figures = []
    for name, taken in runs.items():
        own, postgres = zip(*(stack.per_hop(run.cost, run.messages) for run in taken), strict=True)
        for whose, values in (("this process", own), ("PostgreSQL", postgres)):
            title = f"processor time of {whose}, lineage {name}"
            figures.append(Figure(name=title, value=median(values), unit="µs a hop"))
    return figures


def _quantile(ascending: Sequence[float], share: float) -> float:
    return ascending[min(len(ascending) - 1, int(share * len(ascending)))]
