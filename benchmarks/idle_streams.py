"""Five hundred clients that wait for events of one execution: what they weigh, and how soon an event reaches them all."""

from __future__ import annotations

import asyncio
import json
import time
import urllib.request
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from benchmarks.outcome import Cell, Figure, NotMeasurable, Outcome
from benchmarks.printing import progress
from benchmarks.server_process import ServerProcess, server

NAME = "idle-streams"
STREAMS = 500
AT_ONCE = 50
MAX_MB, MAX_MS = 100.0, 200.0
QUIET_SECONDS = 3.0
PATIENCE = 20.0
ROUTE = "discover"
MB = 1_000_000


class Waiting(asyncio.Protocol):
    """One client of the stream, which notes when it was told that the execution is cancelled."""

    def __init__(self, path: str) -> None:
        loop = asyncio.get_running_loop()
        self._request = f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode()
        self._received = b""
        self.began: asyncio.Future[None] = loop.create_future()
        self.told: asyncio.Future[tuple[bytes, float]] = loop.create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Ask for the stream."""
        if isinstance(transport, asyncio.Transport):
            transport.write(self._request)

    def data_received(self, data: bytes) -> None:
        """Look for the first event, and for the one that matters."""
        now = time.time()
        self._received += data
        if not self.began.done() and b"event: status" in self._received:
            self.began.set_result(None)
        if not self.told.done() and b"execution.cancelled" in self._received:
            self.told.set_result((self._received, now))


def measure(*, streams: int | None, rounds: int) -> Outcome:
    """In each round as many clients wait for an execution that is paused, which is then cancelled. Raises NotMeasurable."""
    count = streams or STREAMS
    with TemporaryDirectory(prefix="factflow-benchmark-") as place:
        nothing = Path(place) / "nothing"
        nothing.mkdir()
        with server(Path(place) / "data", nothing) as running:
            running.wait_until_idle()  # the server takes in the empty folder first
            ask(running.port, "PATCH", f"/pipelines/{ROUTE}", {"state": "paused"})
            asyncio.run(_round(running, 10))  # what a first stream imports is no client's weight
            running.wait_until_idle()
            idle = running.resident_bytes()
            rows: list[Sequence[Cell]] = []
            for number in range(1, rounds + 1):
                progress(f"{NAME}: round {number} of {rounds}")
                late, resident, cpu = asyncio.run(_round(running, count))
                rows.append([number, count, (resident - idle) / MB, min(late), max(late), 1000 * cpu])
    weights, slowest = [float(row[2]) for row in rows], [float(row[4]) for row in rows]
    return Outcome(
        benchmark=NAME,
        columns=[
            "round",
            "clients",
            "MB above idle",
            "first told after ms",
            "last told after ms",
            "idle CPU ms/s",
        ],
        rows=rows,
        figures=[
            Figure(name=f"memory above idle, {count} clients", value=max(weights), unit="MB", at_most=MAX_MB),
            Figure(name="last client told after, worst round", value=max(slowest), unit="ms", at_most=MAX_MS),
            Figure(name="idle server before", value=idle / MB, unit="MB"),
        ],
        notes=[
            "Milliseconds are from the event's own time to its arrival; server and clients share the machine."
        ],
    )


async def _round(running: ServerProcess, count: int) -> tuple[Sequence[float], int, float]:
    """How late each client was told, in milliseconds; the server's memory and its processor time a second before."""
    (config, *_) = [
        one for one in ask(running.port, "GET", "/configs")["configs"] if one["name"].startswith("documents")
    ]
    execution = ask(running.port, "POST", f"/configs/{config['id']}/run", {})["id"]
    clients: list[Waiting] = []
    transports = [transport async for transport in _opened(running.port, execution, count, clients)]
    before = running.cpu()
    await asyncio.sleep(QUIET_SECONDS)
    resident, cpu = running.resident_bytes(), (running.cpu() - before) / QUIET_SECONDS
    await asyncio.to_thread(ask, running.port, "PATCH", f"/executions/{execution}", {"status": "cancelled"})
    async with asyncio.timeout(PATIENCE):
        told = await asyncio.gather(*(client.told for client in clients))
    for transport in transports:
        transport.close()
    at = happened_at(told[0][0])
    return [1000 * (arrived - at) for _, arrived in told], resident, cpu


async def _opened(port: int, execution: str, count: int, clients: list[Waiting]) -> Any:
    """The transports of so many clients, each once its stream has begun."""
    loop, path = asyncio.get_running_loop(), f"/api/v1/executions/{execution}/events?timeout=3600"
    while len(clients) < count:
        some = min(AT_ONCE, count - len(clients))
        opened = [await loop.create_connection(lambda: Waiting(path), "127.0.0.1", port) for _ in range(some)]
        clients += [client for _, client in opened]
        async with asyncio.timeout(PATIENCE):
            await asyncio.gather(*(client.began for client in clients))
        for transport, _ in opened:
            yield transport


def happened_at(received: bytes) -> float:
    """When the event says that it happened, in seconds since 1970."""
    for line in received.split(b"\n"):
        if line.startswith(b"data: ") and b"execution.cancelled" in line:
            return datetime.fromisoformat(json.loads(line[6:])["timestamp"]).timestamp()
    raise NotMeasurable("no event tells of the end")


def ask(port: int, method: str, path: str, body: object = None) -> Any:
    """One request; the JSON of its answer."""
    content = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}/api/v1{path}",
        data=content,
        method=method,
        headers={"Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310
        return json.load(answer)
