"""Servers and workers as processes over one database, one queue and one storage."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import uuid4

from tests.integration.served import MODELS, ROOT, wait_for

SERVING = re.compile(r"Serving at (http://\S+?);")
LEASE_SECONDS = "3"


@dataclass(slots=True)
class Running:
    """A server or a worker, and what it has logged."""

    process: subprocess.Popen[str]
    log: Path

    def said(self) -> str:
        """All of it."""
        return self.log.read_text(encoding="utf-8")

    def kill(self) -> None:
        """End it as a power cut would."""
        self.process.kill()
        self.process.wait(10)

    def stop(self, seconds: float = 30) -> int:
        """End it as a supervisor does; returns the exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(seconds)


@dataclass(slots=True)
class Answering(Running):
    """A server, and where it answers."""

    url: str = ""

    def ask(self, path: str, body: object | None = None, method: str | None = None) -> Any:
        """What a request answers; an answer that tells of an error is returned as well."""
        request = urllib.request.Request(
            f"{self.url}/api/v1{path}",
            data=None if body is None else json.dumps(body).encode(),
            headers={"Content-Type": "application/json"},
            method=method,
        )
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as error:
            return json.load(error)

    def read(self, path: str) -> bytes:
        """What a request for bytes answers; raises HTTPError when it is refused."""
        with urllib.request.urlopen(f"{self.url}/api/v1{path}", timeout=30) as answer:
            body: bytes = answer.read()
        return body

    def start(self, yaml: str) -> str:
        """Store a pipeline and start it; returns the execution's id."""
        config = self.ask("/configs", {"name": f"config {uuid4()}", "config_yaml": yaml})
        started = self.ask("/executions", {"config_id": config["id"]})
        assert "id" in started, started
        return str(started["id"])

    def take_in(self, folder: Path) -> str:
        """Start the shipped pipeline over a folder; returns the execution's id."""
        shipped = (ROOT / "entrypoints" / "pipelines" / "documents.yaml").read_text(encoding="utf-8")
        return self.start(shipped.replace("payload: {}", f"payload: {{folder: {json.dumps(str(folder))}}}"))

    def execution(self, execution_id: str) -> dict[str, Any]:
        """An execution as it stands."""
        found: dict[str, Any] = self.ask(f"/executions/{execution_id}")
        return found

    def workers(self) -> list[dict[str, Any]]:
        """Who is alive."""
        found: list[dict[str, Any]] = self.ask("/system/workers")["workers"]
        return found

    def ended(self, execution_id: str, seconds: float = 60) -> dict[str, Any]:
        """An execution when it has ended and nothing of it is outstanding."""
        return until(
            lambda: self.execution(execution_id),
            lambda one: (
                one["status"] in {"completed", "failed", "cancelled"} and not one["messages"]["outstanding"]
            ),
            seconds,
        )


@dataclass(slots=True)
class Crowd:
    """Starts processes that share their settings, and kills at the end those that are left."""

    folder: Path
    environment: dict[str, str]
    program: tuple[str, ...] = ("-m", "factflow_server")
    _running: list[Running] = field(default_factory=list)

    def server(self, name: str = "server", *options: str, **environment: str) -> Answering:
        """A server that answers."""
        one = self._start(name, "serve", "--port", "0", *options, **environment)
        said = wait_for(one.process, one.log, "Serving at", 60)
        match = SERVING.search(said)
        assert match is not None, said
        return Answering(one.process, one.log, match[1])

    def worker(self, name: str, **environment: str) -> Running:
        """A worker that works."""
        one = self.starting_worker(name, **environment)
        wait_for(one.process, one.log, "Working;", 60)
        return one

    def starting_worker(self, name: str, **environment: str) -> Running:
        """A worker that may not have begun to work."""
        return self._start(name, "worker", "--name", name, **environment)

    def _start(self, name: str, command: str, *options: str, **environment: str) -> Running:
        log = self.folder / f"{name}.log"
        with log.open("w", encoding="utf-8") as sink:
            process = subprocess.Popen(
                [sys.executable, *self.program, command, *options],
                stdout=sink,
                stderr=subprocess.STDOUT,
                text=True,
                cwd=ROOT,
                env={**os.environ, **self.environment, **environment},
            )
        running = Running(process, log)
        self._running.append(running)
        return running

    def close(self) -> None:
        """Kill whoever is left."""
        for one in self._running:
            one.process.kill()
            one.process.wait(10)


@contextmanager
def crowd(folder: Path, environment: Mapping[str, str]) -> Iterator[Crowd]:
    """Processes in whose environment these variables are."""
    shared = {
        "FACTFLOW_MODELS_DIR": str(MODELS),
        "FACTFLOW_DATA_DIR": str(folder / "data"),
        "FACTFLOW_LEASE_SECONDS": LEASE_SECONDS,
        "FACTFLOW_MODEL_THREADS": "1",
        "FACTFLOW_AUTHENTICATION": "open",
        **environment,
    }
    processes = Crowd(folder, shared)
    try:
        yield processes
    finally:
        processes.close()


def until(look: Callable[[], Any], is_so: Callable[[Any], bool], seconds: float) -> Any:
    """What a look finds as soon as it is so; raises AssertionError with the last find when it does not come to that."""
    give_up_at = time.monotonic() + seconds
    while True:
        found = look()
        if is_so(found):
            return found
        assert time.monotonic() < give_up_at, found
        time.sleep(0.05)
