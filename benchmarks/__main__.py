"""`python -m benchmarks`: run all benchmarks, or those named."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import click

from benchmarks import (
    broker,
    churn,
    engine,
    fan_out,
    http_api,
    idle_streams,
    ingestion,
    lineage,
    lineage_cost,
    lineage_locked,
    peers,
    retrieval,
    search,
    startup,
    streams,
    webhooks,
    workers,
)
from benchmarks.outcome import NotMeasurable, Outcome
from benchmarks.printing import as_json, progress, table

NAMES = (
    startup.NAME,
    search.NAME,
    retrieval.NAME,
    ingestion.NAME,
    peers.NAME,
    engine.NAME,
    lineage_cost.NAME,
    lineage.NAME,
    fan_out.NAME,
    lineage_locked.NAME,
    broker.NAME,
    churn.NAME,
    workers.NAME,
    webhooks.NAME,
    streams.NAME,
    idle_streams.NAME,
    http_api.NAME,
)
LIMIT_MISSED = 1
NOT_MEASURED = 2


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("names", nargs=-1, type=click.Choice(NAMES))
@click.option(
    "--documents", type=click.IntRange(1), help="How many documents; unset, as many as the limits are for."
)
@click.option(
    "--messages", type=click.IntRange(1), help="How many messages; unset, as many as the limits are for."
)
@click.option(
    "--segments", type=click.IntRange(1), help="How many segments; unset, as many as the limits are for."
)
@click.option(
    "--executions", type=click.IntRange(1), help="How many executions; unset, as many as the limits are for."
)
@click.option(
    "--streams",
    "readers",
    type=click.IntRange(1),
    help="streams, idle-streams: how many at once; unset, 200 and 500.",
)
@click.option(
    "--seconds",
    type=click.FloatRange(1),
    default=60.0,
    show_default=True,
    help="lineage-locked: how long each part lasts.",
)
@click.option(
    "--rounds", type=click.IntRange(1), default=3, show_default=True, help="How often both sides run."
)
@click.option(
    "--environment",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="startup: weigh this environment as it is; unset, a new one is made.",
)
@click.option("--output", type=click.Choice(["table", "json"]), default="table", show_default=True)
def main(
    names: tuple[str, ...],
    documents: int | None,
    messages: int | None,
    segments: int | None,
    executions: int | None,
    readers: int | None,
    seconds: float,
    rounds: int,
    environment: Path | None,
    output: str,
) -> None:
    """Measure speed and size against their limits.

    Exit code 1 when a limit is missed, 2 when something could not be measured. All of them take about half an hour.
    """
    benchmarks: Mapping[str, Callable[[], Outcome]] = {
        startup.NAME: lambda: startup.measure(installed=environment),
        search.NAME: lambda: search.measure(count=documents, rounds=rounds),
        retrieval.NAME: lambda: retrieval.measure(segments=segments, rounds=rounds),
        ingestion.NAME: lambda: ingestion.measure(count=documents, rounds=rounds),
        peers.NAME: lambda: peers.measure(count=documents, rounds=rounds),
        engine.NAME: lambda: engine.measure(messages=messages, rounds=rounds),
        lineage_cost.NAME: lambda: lineage_cost.measure(messages=messages, rounds=rounds),
        lineage.NAME: lambda: lineage.measure(count=messages, rounds=rounds),
        fan_out.NAME: lambda: fan_out.measure(messages=messages),
        lineage_locked.NAME: lambda: lineage_locked.measure(seconds=seconds),
        broker.NAME: lambda: broker.measure(messages=messages, rounds=rounds),
        churn.NAME: lambda: churn.measure(executions=executions),
        streams.NAME: lambda: streams.measure(streams=readers, rounds=rounds),
        idle_streams.NAME: lambda: idle_streams.measure(streams=readers, rounds=rounds),
        http_api.NAME: lambda: http_api.measure(rounds=rounds),
        workers.NAME: lambda: workers.measure(messages=messages, rounds=rounds),
        webhooks.NAME: lambda: webhooks.measure(messages=messages, rounds=rounds),
    }
    outcomes: list[Outcome] = []
    failures: dict[str, str] = {}
    for name in names or NAMES:
        try:
            outcomes.append(benchmarks[name]())
        except NotMeasurable as error:
            failures[name] = str(error)
            progress(f"{name}: not measured: {error}")
            continue
        if output == "table":
            print(table(outcomes[-1]), end="\n\n", flush=True)
    if output == "json":
        print(as_json(outcomes, failures))
    sys.exit(_exit_code(outcomes, failures))


def _exit_code(outcomes: list[Outcome], failures: Mapping[str, str]) -> int:
    if not all(outcome.is_met for outcome in outcomes):
        return LIMIT_MISSED
    return NOT_MEASURED if failures else 0


main()
