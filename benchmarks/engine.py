"""Three routes with ledger and lineage against a bare asyncio pipeline that writes a row per message and stage."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

from benchmarks import bare_pipeline
from benchmarks.message_stack import ROUTES, WORKERS, Stack, message_stack
from benchmarks.messages import BYTES
from benchmarks.outcome import Figure, Outcome
from benchmarks.printing import progress
from benchmarks.stack import Cost

NAME = "engine"
MIN_RATIO = 0.2
MESSAGES = 20_000
WARM_UP = 2_000


def measure(*, messages: int | None, rounds: int) -> Outcome:
    """Alternate the two over one embedded PostgreSQL; the figures are of medians."""
    with TemporaryDirectory(prefix="factflow-benchmark-") as place:
        return asyncio.run(_measured(Path(place) / "data", messages or MESSAGES, rounds))


async def _measured(data: Path, messages: int, rounds: int) -> Outcome:
    engine: list[Cost] = []
    bare: list[Cost] = []
    async with message_stack(data) as stack:
        await stack.run(WARM_UP)
        await bare_pipeline.run(stack.postgres, WARM_UP, workers=WORKERS)
        for number in range(1, rounds + 1):
            progress(f"{NAME}: round {number} of {rounds}, {messages} messages")
            # Before and after, because it takes a fifth of the time and so is disturbed more easily.
            bare.append(await bare_pipeline.run(stack.postgres, messages, workers=WORKERS))
            engine.append(await stack.run(messages))
            bare.append(await bare_pipeline.run(stack.postgres, messages, workers=WORKERS))
            rates = [messages / cost.seconds for cost in (engine[-1], *bare[-2:])]
            progress("{}: {:.0f} a second; the bare pipeline {:.0f} and {:.0f}".format(NAME, *rates))
        return _outcome(stack, engine, bare, messages)


def _outcome(stack: Stack, engine: Sequence[Cost], bare: Sequence[Cost], messages: int) -> Outcome:
    rates = [messages / median(cost.seconds for cost in costs) for costs in (engine, bare)]
    return Outcome(
        benchmark=NAME,
        columns=["side", "run", "seconds", "messages/s", "own µs/hop", "PostgreSQL µs/hop"],
        rows=[
            [name, number, cost.seconds, messages / cost.seconds, *stack.per_hop(cost, messages)]
            for name, costs in (("engine", engine), ("bare pipeline", bare))
            for number, cost in enumerate(costs, start=1)
        ],
        figures=[
            Figure(name="engine / bare pipeline", value=rates[0] / rates[1], unit="", at_least=MIN_RATIO),
            Figure(name="engine", value=rates[0], unit="messages a second"),
            Figure(name="bare pipeline", value=rates[1], unit="messages a second"),
            *_hop_figures(stack, "engine", engine, messages),
            *_hop_figures(stack, "bare pipeline", bare, messages),
        ],
        notes=[
            (
                f"Messages have {BYTES} bytes and pass {ROUTES} routes of one adapter each, {WORKERS} at a time. A hop is one "
                "message claimed, processed and settled in one of them, with its lineage written; of the bare pipeline, "
                "one message passed through one stage, with its row written. The one message that fans out is not counted."
            ),
            f"{stack.lineage.dropped} lineage entries were dropped.",
        ],
    )


def _hop_figures(stack: Stack, name: str, costs: Sequence[Cost], messages: int) -> Sequence[Figure]:
    own, postgres = zip(*(stack.per_hop(cost, messages) for cost in costs), strict=True)
    return [
        Figure(name=f"{name}, processor time of this process", value=median(own), unit="µs a hop"),
        Figure(name=f"{name}, processor time of PostgreSQL", value=median(postgres), unit="µs a hop"),
    ]
