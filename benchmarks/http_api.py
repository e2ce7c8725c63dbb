"""The HTTP API against FastAPI with pydantic, which serves the same from the same database."""

from __future__ import annotations

import asyncio
import json
import socket
import subprocess
import time
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

from benchmarks.http_load import Asked, requests_per_second
from benchmarks.outcome import Cell, Figure, NotMeasurable, Outcome
from benchmarks.peers_environment import peers_python
from benchmarks.printing import progress
from benchmarks.server_process import server
from benchmarks.stack import PostgresProcesses

NAME = "http"
EXECUTIONS = 150
SECONDS = 4.0
PEERS = Path(__file__).with_name("http_peers.txt")
FASTAPI = Path(__file__).with_name("fastapi_peer.py")
SHIPPED = Path(__file__).resolve().parent.parent / "entrypoints" / "pipelines" / "documents.yaml"
READY_WITHIN = 30.0
WITH_DATABASE, WITHOUT = 1.5, 2.5
OURS, PLAIN, FAST = "Factflow", "FastAPI", "FastAPI on uvicorn's C parts"


def _operations() -> Mapping[str, tuple[Asked, Asked, float]]:
    """Each operation as ours and as the peer's, and the least ratio."""
    body = json.dumps({"config_yaml": SHIPPED.read_text(encoding="utf-8")}).encode()
    api = "/api/v1"
    return {
        "list 100 executions": (
            Asked(method="GET", path=f"{api}/executions?limit=100"),
            Asked(method="GET", path="/executions?limit=100"),
            WITH_DATABASE,
        ),
        "validate a config": (
            Asked(method="POST", path=f"{api}/configs/validate", body=body),
            Asked(method="POST", path="/validate", body=body),
            WITH_DATABASE,
        ),
        "liveness": (
            Asked(method="GET", path=f"{api}/system/live"),
            Asked(method="GET", path="/live"),
            WITHOUT,
        ),
        "list pipeline adapters": (
            Asked(method="GET", path=f"{api}/adapters"),
            Asked(method="GET", path="/adapters"),
            WITHOUT,
        ),
    }


def measure(*, rounds: int) -> Outcome:
    """Alternate the two over every operation; the figures are of medians. Raises NotMeasurable."""
    python = peers_python(PEERS, size="60 MB")
    with TemporaryDirectory(prefix="factflow-benchmark-") as place:
        data, nothing = Path(place) / "data", Path(place) / "nothing"
        nothing.mkdir()
        with server(data, nothing) as running:
            _run_often(running.port)
            catalogue = Path(place) / "catalogue.json"
            catalogue.write_bytes(_ask(running.port, "GET", "/api/v1/adapters"))
            running.wait_until_idle()
            url = PostgresProcesses(data).url()
            with (
                _peer(python, url, catalogue, "plain") as plain,
                _peer(python, url, catalogue, "fast") as fast,
            ):
                sides = {OURS: running.port, PLAIN: plain, FAST: fast}
                return _outcome(asyncio.run(_alternated(sides, rounds)))


async def _alternated(sides: Mapping[str, int], rounds: int) -> list[tuple[str, str, float]]:
    rates: list[tuple[str, str, float]] = []
    for name, (asked, of_peer, _) in _operations().items():
        requests = {side: asked if side == OURS else of_peer for side in sides}
        await _require_same(name, sides, requests)
        for number in range(1, rounds + 1):
            progress(f"{NAME}: {name}, round {number} of {rounds}")
            for side, port in sides.items():
                rate, _ = await requests_per_second(port, requests[side], seconds=SECONDS)
                rates.append((name, side, rate))
    return rates


async def _require_same(name: str, sides: Mapping[str, int], requests: Mapping[str, Asked]) -> None:
    """Ask each for half a second, which warms it up too, and compare what they answer."""
    answers = {
        side: (await requests_per_second(port, requests[side], seconds=0.5))[1]
        for side, port in sides.items()
    }
    if any(json.loads(answer) != json.loads(answers[OURS]) for answer in answers.values()):
        raise NotMeasurable(f"{name}: they do not answer the same: {[one[:300] for one in answers.values()]}")


def _outcome(rates: Sequence[tuple[str, str, float]]) -> Outcome:
    rows: list[Sequence[Cell]] = [[name, side, rate] for name, side, rate in rates]
    figures: list[Figure] = []
    for name, (_, _, least) in _operations().items():
        medians = {
            of: median([rate for one, side, rate in rates if (one, side) == (name, of)])
            for of in (OURS, PLAIN, FAST)
        }
        ratio, to_fast = medians[OURS] / medians[PLAIN], medians[OURS] / medians[FAST]
        figures.append(Figure(name=f"{name}, {OURS} / {PLAIN}", value=ratio, unit="x", at_least=least))
        figures.append(Figure(name=f"{name}, {OURS} / {FAST}", value=to_fast, unit="x"))
        figures += [
            Figure(name=f"{name}, {side}", value=rate, unit="requests a second")
            for side, rate in medians.items()
        ]
    notes = [
        "One process each, asked in turn over sixteen connections by a third, with the same answers to the byte of their JSON.",
        "Of a config the peer checks the shape alone; we also check names, queues, conditions and the graph.",
    ]
    return Outcome(
        benchmark=NAME, columns=["operation", "side", "requests/s"], rows=rows, figures=figures, notes=notes
    )


def _run_often(port: int) -> None:
    """Fill the list with executions that end at once."""
    (config, *_) = json.loads(_ask(port, "GET", "/api/v1/configs"))["configs"]
    for _ in range(EXECUTIONS):
        _ask(port, "POST", f"/api/v1/configs/{config['id']}/run?skip_init_message=true")


def _ask(port: int, method: str, path: str) -> bytes:
    request = urllib.request.Request(f"http://127.0.0.1:{port}{path}", method=method)
    with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310
        return bytes(answer.read())


@contextmanager
def _peer(python: Path, database: str, catalogue: Path, parts: str) -> Iterator[int]:
    """FastAPI on a free port."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    command: list[Any] = [python, FASTAPI, str(port), database, catalogue, parts]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)  # noqa: S603 - our own script
    try:
        _wait(port, process)
        yield port
    finally:
        process.terminate()
        process.wait(10)


def _wait(port: int, process: subprocess.Popen[str]) -> None:
    until = time.monotonic() + READY_WITHIN
    while time.monotonic() < until:
        if process.poll() is not None:
            said = process.stderr.read()[-1000:] if process.stderr else ""
            raise NotMeasurable(f"FastAPI did not start: {said}")
        try:
            _ask(port, "GET", "/live")
        except OSError:
            time.sleep(0.05)
        else:
            return
    raise NotMeasurable("FastAPI did not answer in time")
