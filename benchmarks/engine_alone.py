"""The engine's side of the benchmark `engine` alone, for a profiler: `python -m benchmarks.engine_alone`."""

from __future__ import annotations

import asyncio
from pathlib import Path
from tempfile import TemporaryDirectory

import click

from benchmarks.engine import MESSAGES, WARM_UP
from benchmarks.message_stack import WORKERS, message_stack


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--messages", type=click.IntRange(1), default=MESSAGES, show_default=True)
@click.option("--rounds", type=click.IntRange(1), default=3, show_default=True)
@click.option(
    "--workers",
    type=click.IntRange(1),
    default=WORKERS,
    show_default=True,
    help="How many messages each route works on at once.",
)
def main(messages: int, rounds: int, workers: int) -> None:
    """Send messages through three routes and print what each round cost."""
    with TemporaryDirectory(prefix="factflow-benchmark-") as place:
        asyncio.run(_rounds(Path(place) / "data", messages, rounds, workers))


async def _rounds(data: Path, messages: int, rounds: int, workers: int) -> None:
    async with message_stack(data, workers=workers) as stack:
        await stack.run(min(WARM_UP, messages))
        for _ in range(rounds):
            cost = await stack.run(messages)
            own, postgres = stack.per_hop(cost, messages)
            print(
                f"{messages / cost.seconds:.0f} messages a second; a hop: {own:.1f} µs of this process, "
                f"{postgres:.1f} µs of PostgreSQL",
                flush=True,
            )


if __name__ == "__main__":
    main()
