"""How long the first thousand descendants of an entry take to find among a million entries."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from uuid import UUID

from adapters.embedded_postgres.server import EmbeddedPostgres
from adapters.postgres.database import Database
from adapters.postgres.lineage_connection import LineageConnection
from adapters.postgres.lineage_reader import PostgresLineageReader
from adapters.postgres.migration import migrate
from benchmarks.outcome import Cell, Figure, NotMeasurable, Outcome
from benchmarks.printing import progress
from domain.errors import FactflowError
from domain.identity import derived_id
from domain.lineage import LineageEntry, StageStatus

NAME = "lineage"
ENTRIES = 1_000_000
CHAIN = 10_000
FAN_OUT, DEPTH = 10, 5
DESCENDANTS = 1_000
MAX_MILLISECONDS = 50
AT_ONCE = 2_000
START = datetime(2026, 1, 1, tzinfo=UTC)


def measure(*, count: int | None = None, rounds: int = 3) -> Outcome:
    """A fan-out of ``count`` (a million) from one entry, a chain and a bushy tree, all in one table; ten times a round."""
    try:
        seconds, times = asyncio.run(_measured(count or ENTRIES, 10 * rounds))
    except FactflowError as error:
        raise NotMeasurable(f"the embedded PostgreSQL does not do: {error.message} ({error.code})") from error
    rows: list[Sequence[Cell]] = [
        [shape, min(found), median(found), max(found)] for shape, found in times.items()
    ]
    figures = [
        Figure(
            name=f"{DESCENDANTS:,} descendants, {shape}",
            value=median(found),
            unit="ms",
            at_most=MAX_MILLISECONDS,
        )
        for shape, found in times.items()
    ]
    figures.append(
        Figure(name="entries written a second", value=_total(count or ENTRIES) / seconds, unit="/s")
    )
    return Outcome(
        benchmark=NAME,
        columns=["shape", "least ms", "median ms", "most ms"],
        rows=rows,
        figures=figures,
        notes=[
            f"{_total(count or ENTRIES):,} entries in the table; a reading ends with a thousand entries in memory."
        ],
    )


def _shapes(count: int) -> Mapping[str, Iterator[LineageEntry]]:
    return {"wide fan-out": _fan_out(count), "long chain": _chain(), "bushy tree": _tree()}


def _total(count: int) -> int:
    return count + 1 + CHAIN + sum(FAN_OUT**level for level in range(DEPTH + 1))


async def _measured(count: int, readings: int) -> tuple[float, Mapping[str, Sequence[float]]]:
    with TemporaryDirectory(prefix="factflow-benchmark-") as place:
        async with (
            EmbeddedPostgres(Path(place) / "postgres") as server,
            Database(lambda: server.url) as database,
        ):
            await migrate(database)
            started = time.perf_counter()
            for shape, entries in _shapes(count).items():
                progress(f"{NAME}: writing the {shape}")
                await _write(database, entries)
            seconds = time.perf_counter() - started
            async with database.connection() as connection:
                await connection.execute("VACUUM ANALYZE lineage_entry")
            return seconds, {shape: await _read(database, shape, readings) for shape in _shapes(0)}


async def _write(database: Database, entries: Iterator[LineageEntry]) -> None:
    connection = LineageConnection(database)
    while batch := list(islice(entries, AT_ONCE)):
        await connection.write(batch)
    await connection.close()


async def _read(database: Database, shape: str, readings: int) -> Sequence[float]:
    progress(f"{NAME}: reading the {shape}")
    reader = PostgresLineageReader(database)
    root = next(_shapes(DESCENDANTS)[shape])
    times = []
    for _ in range(readings):
        started = time.perf_counter()
        found = await reader.descendants(root.id, limit=DESCENDANTS)
        times.append(1000 * (time.perf_counter() - started))
        if len({entry.id for entry in found}) != DESCENDANTS:
            raise NotMeasurable(f"{len(found)} descendants were found in the {shape}")
    return times


def _fan_out(count: int) -> Iterator[LineageEntry]:
    root = _entry("wide", 0, None)
    yield root
    for number in range(1, count + 1):
        yield _entry("wide", number, root.id)


def _chain() -> Iterator[LineageEntry]:
    above = None
    for number in range(CHAIN):
        entry = _entry("chain", number, above)
        above = entry.id
        yield entry


def _tree() -> Iterator[LineageEntry]:
    for number in range(sum(FAN_OUT**level for level in range(DEPTH + 1))):
        yield _entry("tree", number, _id("tree", (number - 1) // FAN_OUT) if number else None)


def _id(shape: str, number: int) -> UUID:
    return derived_id(shape, number)


def _entry(shape: str, number: int, parent_id: UUID | None) -> LineageEntry:
    started_at = START + timedelta(milliseconds=number)
    return LineageEntry(
        id=_id(shape, number),
        parent_id=parent_id,
        execution_id=derived_id(shape),
        message_id=derived_id("message", shape, number),
        route_id="read",
        adapter_name="document_reader",
        adapter_index=0,
        attempt=1,
        stage_name="markdown",
        status=StageStatus.COMPLETED,
        started_at=started_at,
        completed_at=started_at + timedelta(milliseconds=3),
        input_hash="9f86d081884c7d659a2feaa0c55ad015",
        metadata={"title": "Handbook", "origin": "example.org"},
    )
