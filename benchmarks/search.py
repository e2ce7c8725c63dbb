"""Search over HTTP against the same SQL and query embedding called directly."""

from __future__ import annotations

import asyncio
import http.client
import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median, quantiles
from tempfile import TemporaryDirectory

from application.search import DEFAULT_WEIGHTS
from benchmarks import collection
from benchmarks.direct_search import DirectSearch
from benchmarks.outcome import Cell, Figure, NotMeasurable, Outcome
from benchmarks.pipeline_run import through_pipeline
from benchmarks.printing import progress
from benchmarks.server_process import server
from benchmarks.stack import PostgresProcesses

NAME = "search"
MAX_RATIO = 2.0
MODES = ("semantic", "hybrid")
PATHS = {"semantic": "/api/v1/search", "hybrid": "/api/v1/search/hybrid"}
ASKED: Mapping[str, Mapping[str, int | float | str]] = {
    "semantic": {"limit": 10},
    "hybrid": {
        "limit": 10,
        "fusion": "linear",
        "vector_weight": DEFAULT_WEIGHTS["semantic"],
        "keyword_weight": DEFAULT_WEIGHTS["keyword"],
    },
}
WARM_UP = 25
PAUSE_SECONDS = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """All questions asked one after the other in one way: the seconds and the segments found for each."""

    seconds: Sequence[float]
    found: Sequence[Sequence[str]]


def measure(*, count: int | None, rounds: int) -> Outcome:
    """Ask every question of the collection both ways, in alternating blocks, one question at a time."""
    chosen, questions = collection.documents(count), collection.queries()
    with TemporaryDirectory(prefix="factflow-benchmark-") as place:
        folder = collection.write_files(chosen, Path(place) / "documents")
        data = Path(place) / "data"
        progress(f"{NAME}: taking in {len(chosen)} documents")
        asyncio.run(through_pipeline(folder, data, len(chosen)))
        nothing = Path(place) / "nothing"
        nothing.mkdir()
        with server(data, nothing) as running:
            running.wait_until_idle()
            return asyncio.run(_alternated(data, running.port, questions, rounds))


async def _alternated(data: Path, port: int, questions: Sequence[str], rounds: int) -> Outcome:
    rows: list[Sequence[Cell]] = []
    figures: list[Figure] = []
    async with DirectSearch(data, PostgresProcesses(data).url()) as direct:
        for mode in MODES:
            await _directly(direct, questions[:WARM_UP], mode)
            _over_http(port, questions[:WARM_UP], mode)
            pairs: list[tuple[Block, Block]] = []
            for number in range(1, rounds + 1):
                progress(f"{NAME}: {mode}, round {number} of {rounds}, {len(questions)} questions each way")
                pairs.append((await _directly(direct, questions, mode), _over_http(port, questions, mode)))
                _require_same(*pairs[-1], mode)
                rows.append(_row(mode, number, "called directly", pairs[-1][0]))
                rows.append(_row(mode, number, "over HTTP", pairs[-1][1]))
            figures += _figures(mode, pairs)
    note = "One question at a time, one connection each; seconds are of the client."
    return Outcome(
        benchmark=NAME,
        columns=["mode", "round", "what", "median ms", "p95 ms"],
        rows=rows,
        figures=figures,
        notes=[note],
    )


async def _directly(direct: DirectSearch, questions: Sequence[str], mode: str) -> Block:
    await asyncio.sleep(PAUSE_SECONDS)  # until the other process's threads are at rest
    seconds, found = [], []
    for question in questions:
        started = time.perf_counter()
        found.append(await direct.ask(question, mode))
        seconds.append(time.perf_counter() - started)
    return Block(seconds=seconds, found=found)


def _over_http(port: int, questions: Sequence[str], mode: str) -> Block:
    time.sleep(PAUSE_SECONDS)
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    seconds, found = [], []
    for question in questions:
        body = json.dumps({"query": question, **ASKED[mode]}).encode()
        started = time.perf_counter()
        connection.request("POST", PATHS[mode], body, {"Content-Type": "application/json"})
        answer = connection.getresponse()
        content = answer.read()
        seconds.append(time.perf_counter() - started)
        if answer.status != http.client.OK:
            raise NotMeasurable(f"a search was answered with {answer.status}: {content[:500]!r}")
        found.append([match["segment_id"] for match in json.loads(content)["results"]])
    connection.close()
    return Block(seconds=seconds, found=found)


def _require_same(direct: Block, over_http: Block, mode: str) -> None:
    differing = sum(one != other for one, other in zip(direct.found, over_http.found, strict=True))
    if differing:
        raise NotMeasurable(
            f"{mode}: {differing} of {len(direct.found)} questions found other segments over HTTP than directly, "
            "so the two did not do the same"
        )


def _row(mode: str, number: int, what: str, block: Block) -> list[Cell]:
    return [mode, number, what, median(block.seconds) * 1000, quantiles(block.seconds, n=20)[-1] * 1000]


def _figures(mode: str, pairs: Sequence[tuple[Block, Block]]) -> list[Figure]:
    direct, over_http = (
        median([seconds for pair in pairs for seconds in pair[side].seconds]) * 1000 for side in (0, 1)
    )
    return [
        Figure(
            name=f"{mode}, over HTTP / called directly", value=over_http / direct, unit="x", at_most=MAX_RATIO
        ),
        Figure(name=f"{mode}, over HTTP", value=over_http, unit="ms"),
        Figure(name=f"{mode}, called directly", value=direct, unit="ms"),
    ]
