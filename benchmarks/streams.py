"""How soon a word that a language model has written reaches whoever reads the answer."""

from __future__ import annotations

import asyncio
import re
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from statistics import median, quantiles
from tempfile import TemporaryDirectory

import aiohttp

from benchmarks.outcome import Cell, Figure, NotMeasurable, Outcome
from benchmarks.printing import progress
from benchmarks.server_process import server
from benchmarks.talking_model import BETWEEN_SECONDS, FIRST_SECONDS, WORDS

NAME = "streams"
STREAMS = 200
MAX_FIRST_MS = 50.0
SPREAD_SECONDS = 2.0
_STAMP = re.compile(rb"\d{10,}")
_DOCUMENT = "Bees gather nectar. A hive holds forty thousand bees.\n"


def measure(*, streams: int | None, rounds: int) -> Outcome:
    """One reader at a time, then many at once, through the server and straight from the model."""
    count = streams or STREAMS
    rows: list[Sequence[Cell]] = []
    with _model() as model_url, TemporaryDirectory(prefix="factflow-bench-") as folder:
        docs = Path(folder) / "docs"
        docs.mkdir()
        (docs / "bees.md").write_text(_DOCUMENT, encoding="utf-8")
        with server(Path(folder) / "data", docs, settings=_settings(model_url, count)) as running:
            running.wait_until_idle()
            idle = running.resident_bytes()
            chat = f"http://127.0.0.1:{running.port}/api/v1/chat/stream"
            model = f"{model_url}/chat/completions"
            # The first calls import and prepare statements; what is measured is a server that has been asked before.
            asyncio.run(_together(chat, count))
            figures = asyncio.run(_figures(chat, model, count, rounds, rows))
            memory = (running.resident_bytes() - idle) / 1_000_000
    return Outcome(
        benchmark=NAME,
        columns=["what", "streams", "first word ms, median", "p95", "slowest", "any word ms, p95"],
        rows=rows,
        figures=[*figures, Figure(name="memory above idle", value=memory, unit="MB")],
        notes=[
            (
                f"The model writes its first word after {FIRST_SECONDS:g} s and then {1 / BETWEEN_SECONDS:g} words a "
                f"second, {WORDS} in all; the streams are begun over {SPREAD_SECONDS:g} s."
            ),
            (
                "Milliseconds are from the model's sending of a word to its arrival at the reader; model, server and "
                "readers share the machine."
            ),
        ],
    )


async def _figures(
    chat: str, model: str, count: int, rounds: int, rows: list[Sequence[Cell]]
) -> Sequence[Figure]:
    alone, many, direct = [], [], []
    for number in range(1, rounds + 1):
        progress(f"{NAME}: round {number} of {rounds}")
        alone.append(await _together(chat, 1))
        many.append(await _together(chat, count))
        direct.append(await _together(model, count))
        for what, streams, found in (
            ("server", 1, alone[-1]),
            ("server", count, many[-1]),
            ("model alone", count, direct[-1]),
        ):
            rows.append([what, streams, *_spread(found)])
    return [
        Figure(
            name="first word, one stream",
            value=median(one[0] for found in alone for one in found),
            unit="ms",
            at_most=MAX_FIRST_MS,
        ),
        Figure(
            name=f"first word, {count} streams, p95",
            value=median(_late_firsts(found) for found in many),
            unit="ms",
            at_most=MAX_FIRST_MS,
        ),
        Figure(
            name=f"first word, {count} streams, p95 without the server",
            value=median(_late_firsts(found) for found in direct),
            unit="ms",
        ),
        Figure(
            name="streams that came to their end",
            value=sum(len(one) == WORDS for found in many for one in found) / (count * rounds),
            unit="",
            at_least=1.0,
        ),
    ]


async def _together(url: str, count: int) -> Sequence[Sequence[float]]:
    """For each of so many readers at once how late each word was, in milliseconds."""
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(connector=connector) as session:
        readers = (_read(session, url, SPREAD_SECONDS * number / count) for number in range(count))
        return await asyncio.gather(*readers)


async def _read(session: aiohttp.ClientSession, url: str, delay: float) -> Sequence[float]:
    await asyncio.sleep(delay or 0)
    late: list[float] = []
    body = {"query": "How many bees are in a hive?", "messages": [], "stream": True}
    if url.endswith("/chat/stream"):
        body = {"query": "How many bees are in a hive?"}
    async with session.post(url, json=body) as response:
        if response.status != 200:
            raise NotMeasurable(f"{url} answered with status {response.status}: {await response.text()}")
        async for line in _lines(response):
            now = time.monotonic_ns()
            if line.startswith(b"data:") and b"content" in line and (stamp := _STAMP.search(line)):
                late.append((now - int(stamp[0])) / 1e6)
    return late


async def _lines(response: aiohttp.ClientResponse) -> AsyncIterator[bytes]:
    async for line in response.content:
        yield line


def _spread(found: Sequence[Sequence[float]]) -> Sequence[Cell]:
    firsts = [one[0] for one in found]
    return [median(firsts), _p95(firsts), max(firsts), _p95([late for one in found for late in one])]


def _late_firsts(found: Sequence[Sequence[float]]) -> float:
    return _p95([one[0] for one in found])


def _p95(values: Sequence[float]) -> float:
    return quantiles(values, n=20)[18] if len(values) > 1 else values[0]


def _settings(model_url: str, count: int) -> Mapping[str, str]:
    return {
        "FACTFLOW_LLM_BASE_URL": model_url,
        "FACTFLOW_LLM_MAX_CONCURRENCY": str(count),
    }


@contextmanager
def _model() -> Iterator[str]:
    """The language model's server in a process of its own."""
    command = [sys.executable, "-m", "benchmarks.talking_model"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, cwd=Path(__file__).resolve().parents[1])  # noqa: S603 - our own
    try:
        line = process.stdout.readline() if process.stdout else b""
        if not line.strip().isdigit():
            raise NotMeasurable("the language model's server did not start")
        yield f"http://127.0.0.1:{int(line)}/v1"
    finally:
        process.terminate()
        process.wait(10)
        if process.stdout:
            process.stdout.close()
