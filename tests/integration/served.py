"""A real server process to test against."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg

from adapters.embedded_postgres.server import EmbeddedPostgres

ROOT = Path(__file__).resolve().parents[2]
MODELS = Path(tempfile.gettempdir()) / f"factflow-test-models-{os.getuid()}"
"""Converted once for all tests, also those of later sessions."""

SERVING = re.compile(r"Serving at (http://\S+?);")


@dataclass(slots=True)
class Served:
    """A server process, and where it answers."""

    process: subprocess.Popen[str]
    log: Path
    url: str

    def get(self, path: str) -> Any:
        """What a GET answers."""
        return self._answer(urllib.request.Request(f"{self.url}/api/v1{path}"))

    def post(self, path: str, body: object) -> Any:
        """What a POST answers."""
        request = urllib.request.Request(
            f"{self.url}/api/v1{path}",
            data=json.dumps(body).encode(),
            headers={"Content-Type": "application/json"},
        )
        return self._answer(request)

    def _answer(self, request: urllib.request.Request) -> Any:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.load(answer)

    def executions(self) -> list[dict[str, Any]]:
        """Every execution, the latest first."""
        found: list[dict[str, Any]] = self.get("/executions")["executions"]
        return found

    def wait_until_greeted(self, seconds: float = 120) -> str:
        """Return the log once the server has said what to try."""
        return self.wait_for("API page:", seconds)

    def wait_for(self, text: str, seconds: float = 60) -> str:
        """Return the log once it has a text."""
        return wait_for(self.process, self.log, text, seconds)

    def kill(self) -> None:
        """End it as a power cut would."""
        self.process.kill()
        self.process.wait(10)

    def stop(self) -> int:
        """End it as Ctrl-C does; returns the exit code."""
        self.process.send_signal(signal.SIGINT)
        return self.process.wait(30)


def wait_for(process: subprocess.Popen[str], log: Path, text: str, seconds: float) -> str:
    """Return what a process has logged once it has a text; raises AssertionError with the log when it does not."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        logged = log.read_text(encoding="utf-8")
        if text in logged:
            return logged
        if process.poll() is not None:
            break
        time.sleep(0.05)
    raise AssertionError(f"no {text!r} in the log:\n{log.read_text(encoding='utf-8')}")


@contextmanager
def serving(data_dir: Path, docs: Path, log: Path, **environment: str) -> Iterator[Served]:
    """A server over a data folder, killed at the end unless it has ended."""
    command = [sys.executable, "-m", "factflow_server", "serve", "--embedded", "--port", "0"]
    with log.open("w", encoding="utf-8") as sink:
        process = subprocess.Popen(
            [*command, "--data-dir", str(data_dir), "--docs", str(docs)],
            stdout=sink,
            stderr=subprocess.STDOUT,
            text=True,
            cwd=ROOT,
            env=os.environ | {"FACTFLOW_MODELS_DIR": str(MODELS)} | environment,
        )
        try:
            match = SERVING.search(wait_for(process, log, "Serving at", 60))
            assert match is not None
            yield Served(process, log, match[1])
        finally:
            process.kill()
            process.wait(10)


def segments_in(data_dir: Path) -> list[tuple[Any, ...]]:
    """What an index holds, without anything that differs from run to run; the server must have ended."""

    async def read() -> list[tuple[Any, ...]]:
        async with EmbeddedPostgres(data_dir / "postgres") as server:
            with psycopg.connect(server.url) as connection:
                return connection.execute(SEGMENTS).fetchall()

    return asyncio.run(read())


SEGMENTS = """
    SELECT d.url, s.is_current, s.ordinal, s.text, s.start_character, s.end_character, count(e.segment_key)
    FROM segment s
    JOIN document_version d ON d.document_id = s.document_id AND d.version = s.version
    LEFT JOIN segment_embedding e ON e.segment_key = s.key
    GROUP BY 1, 2, 3, 4, 5, 6 ORDER BY 1, 2, 3
"""
