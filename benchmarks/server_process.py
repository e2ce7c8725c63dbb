"""An embedded server in a process of its own."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil  # type: ignore[import-untyped]  # its stubs are a package of their own

from benchmarks.outcome import NotMeasurable

READY_WITHIN = 120.0
STOPPED_WITHIN = 30.0
KEPT = ("FACTFLOW_MODEL_COMPUTE_TYPE", "FACTFLOW_MODEL_THREADS", "FACTFLOW_GROUP_COMMIT_MS")
"""The settings of the environment that a measured server keeps."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerProcess:
    """A server that answers; ``ready_after`` seconds passed until the first 200 from its health."""

    process: subprocess.Popen[bytes]
    port: int
    ready_after: float

    def resident_bytes(self) -> int:
        """Resident memory of the server process, PostgreSQL's processes not counted."""
        return int(psutil.Process(self.process.pid).memory_info().rss)

    def has_executions_running(self) -> bool:
        """Whether anything is being ingested."""
        return bool(_get(self.port, "/api/v1/executions?status=running&limit=1")["total"])

    def cpu(self) -> float:
        """Seconds of processor time so far."""
        times = psutil.Process(self.process.pid).cpu_times()
        return float(times.user + times.system)

    def wait_until_idle(self, *, quiet_seconds: float = 3.0) -> None:
        """Return when nothing is being ingested and the process has been all but still for a while."""
        while True:
            before = self.cpu()
            time.sleep(quiet_seconds)
            if self.cpu() - before < 0.05 * quiet_seconds and not self.has_executions_running():
                return


@contextmanager
def server(data: Path, docs: Path, *, settings: Mapping[str, str] | None = None) -> Iterator[ServerProcess]:
    """Run ``serve --embedded`` over two folders, with variables set besides; stopped by an interrupt at the end.

    Raises NotMeasurable.
    """
    port = free_port()
    log = data.parent / f"{data.name}.log"
    command = [sys.executable, "-m", "factflow_server", "serve", "--embedded", "--port", str(port)]
    command += ["--data-dir", str(data), "--docs", str(docs)]
    with log.open("wb") as output:
        started = time.perf_counter()
        variables = {**environment(), **(settings or {})}
        process = subprocess.Popen(command, env=variables, stdout=output, stderr=output)  # noqa: S603 - our own
    try:
        _wait_until_ready(process, port, log)
        yield ServerProcess(process=process, port=port, ready_after=time.perf_counter() - started)
    finally:
        _stop(process)


def environment() -> Mapping[str, str]:
    """The environment without what would turn the server to other places."""
    return {
        name: value for name, value in os.environ.items() if not name.startswith("FACTFLOW_") or name in KEPT
    }


def _wait_until_ready(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    give_up = time.monotonic() + READY_WITHIN
    while time.monotonic() < give_up:
        if process.poll() is not None:
            said = log.read_text(encoding="utf-8", errors="replace").strip()[-1000:]
            raise NotMeasurable(f"the server ended with exit code {process.returncode}: {said}")
        try:
            _get(port, "/api/v1/system/health")
        except (urllib.error.URLError, OSError):
            time.sleep(0.02)
        else:
            return
    raise NotMeasurable(f"the server was not ready within {READY_WITHIN:g} s")


def _get(port: int, path: str) -> Any:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=10) as answer:
        return json.load(answer)


def _stop(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        process.send_signal(signal.SIGINT)
    try:
        process.wait(STOPPED_WITHIN)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
