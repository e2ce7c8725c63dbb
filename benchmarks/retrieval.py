"""Search among 100,000 segments: what HTTP and fusion cost beside their statements, and how much the index finds."""

from __future__ import annotations

import asyncio
import http.client
import json
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from statistics import median, quantiles
from tempfile import TemporaryDirectory
from typing import TypeAlias

from application.search import DEFAULT_CANDIDATES
from benchmarks.outcome import Cell, Figure, NotMeasurable, Outcome
from benchmarks.printing import progress
from benchmarks.retrieval_fill import filled
from benchmarks.retrieval_statements import Statements
from benchmarks.server_process import free_port
from benchmarks.stack import PostgresProcesses
from benchmarks.synthetic_segments import SyntheticTexts

NAME = "retrieval"
SEGMENTS = 100_000
QUESTIONS = 100
WARM_UP = 20
CLIENTS = 16
PER_CLIENT = 25
PATHS = {"semantic": "/api/v1/search", "hybrid": "/api/v1/search/hybrid"}
READY_SECONDS = 120.0

Asking: TypeAlias = Callable[[str], Awaitable[object]]


def measure(*, segments: int | None, rounds: int) -> Outcome:
    """Fill a folder, then ask the same questions over HTTP and by their statements, in alternating blocks."""
    count = segments or SEGMENTS
    with TemporaryDirectory(prefix="factflow-benchmark-") as place:
        data = Path(place) / "data"
        progress(f"{NAME}: making {count:,} segments")
        recall, terms = asyncio.run(filled(data, count))
        progress(f"{NAME}: recall {recall:.3f}, {terms:,} postings")
        with _server(data) as port:
            return asyncio.run(_measured(data, port, count, rounds, recall, terms))


async def _measured(data: Path, port: int, count: int, rounds: int, recall: float, terms: int) -> Outcome:
    texts = SyntheticTexts()
    questions = [texts.query() for _ in range(QUESTIONS)]
    seconds: dict[str, list[float]] = {}
    async with Statements(PostgresProcesses(data).url()) as statements:
        ways: dict[str, Asking] = {
            "semantic, statements": lambda query: statements.semantic(query, 11),
            "semantic, HTTP": lambda query: _asked(port, "semantic", query),
            "semantic leg": lambda query: statements.semantic_leg(query, DEFAULT_CANDIDATES),
            "keyword leg": lambda query: statements.keyword_leg(query, DEFAULT_CANDIDATES),
            "hybrid, HTTP": lambda query: _asked(port, "hybrid", query),
            "ts_rank": lambda query: statements.ts_rank(query, DEFAULT_CANDIDATES),
        }
        for name, way in ways.items():
            await _timed(way, questions[:WARM_UP])
            seconds[name] = []
        for number in range(1, rounds + 1):
            progress(f"{NAME}: round {number} of {rounds}")
            for name, way in ways.items():
                seconds[name] += await _timed(way, questions)
    for mode in PATHS:
        progress(f"{NAME}: {CLIENTS} clients, {mode}")
        seconds[f"{mode}, {CLIENTS} clients"] = _many(port, mode, questions)
    rows: list[Sequence[Cell]] = [
        [name, median(found) * 1000, quantiles(found, n=20)[-1] * 1000, quantiles(found, n=100)[-1] * 1000]
        for name, found in seconds.items()
    ]
    return Outcome(
        benchmark=NAME,
        columns=["what", "median ms", "p95 ms", "p99 ms"],
        rows=rows,
        figures=_figures(seconds, recall),
        notes=[
            f"{count:,} segments of 384 dimensions, {terms:,} postings; the model is a stand-in of no weight.",
            "One question at a time but for the last rows.",
        ],
    )


def _figures(seconds: dict[str, list[float]], recall: float) -> list[Figure]:
    middle = {name: median(found) for name, found in seconds.items()}
    slower = max(middle["semantic leg"], middle["keyword leg"])
    ratios = [
        ("semantic, HTTP / statements", middle["semantic, HTTP"] / middle["semantic, statements"], 1.5),
        ("hybrid, HTTP / slower leg", middle["hybrid, HTTP"] / slower, 1.3),
        ("keyword leg / ts_rank", middle["keyword leg"] / middle["ts_rank"], 2.0),
    ]
    for mode in PATHS:
        found = seconds[f"{mode}, {CLIENTS} clients"]
        ratios.append(
            (f"{mode}, {CLIENTS} clients, p99 / median", quantiles(found, n=100)[-1] / median(found), 4.0)
        )
    return [
        Figure(name="recall@10 of the index", value=recall, unit="", at_least=0.95),
        *(Figure(name=name, value=value, unit="x", at_most=most) for name, value, most in ratios),
    ]


async def _timed(way: Asking, questions: Sequence[str]) -> list[float]:
    seconds = []
    for question in questions:
        started = time.perf_counter()
        await way(question)
        seconds.append(time.perf_counter() - started)
    return seconds


_connections: dict[int, http.client.HTTPConnection] = {}


async def _asked(port: int, mode: str, query: str) -> None:
    """One connection, and a client that does nothing else meanwhile."""
    connection = _connections.setdefault(port, http.client.HTTPConnection("127.0.0.1", port, timeout=60))
    _ask(connection, mode, query)


def _ask(connection: http.client.HTTPConnection, mode: str, query: str) -> None:
    body = json.dumps({"query": query, "limit": 10, "highlight": False}).encode()
    connection.request("POST", PATHS[mode], body, {"Content-Type": "application/json"})
    answer = connection.getresponse()
    content = answer.read()
    if answer.status != http.client.OK or not json.loads(content)["results"]:
        raise NotMeasurable(f"a search was answered with {answer.status}: {content[:300]!r}")


def _many(port: int, mode: str, questions: Sequence[str]) -> list[float]:
    def client(number: int) -> list[float]:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        seconds = []
        for place in range(PER_CLIENT):
            started = time.perf_counter()
            _ask(connection, mode, questions[(number * 7 + place) % len(questions)])
            seconds.append(time.perf_counter() - started)
        connection.close()
        return seconds

    with ThreadPoolExecutor(CLIENTS) as threads:
        return [one for found in threads.map(client, range(CLIENTS)) for one in found]


@contextmanager
def _server(data: Path) -> Iterator[int]:
    port = free_port()
    command = [sys.executable, "-m", "benchmarks.retrieval_server", str(data), str(port)]
    process = subprocess.Popen(command)  # noqa: S603 - our own
    try:
        deadline = time.monotonic() + READY_SECONDS
        while not _answers(port):
            if process.poll() is not None or time.monotonic() > deadline:
                raise NotMeasurable("the server does not start")
            time.sleep(0.2)
        yield port
    finally:
        process.terminate()
        process.wait(30)


def _answers(port: int) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", "/api/v1/system/live")
        return connection.getresponse().status == http.client.OK
    except OSError:
        return False
    finally:
        connection.close()
