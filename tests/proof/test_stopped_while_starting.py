"""Ctrl-C while the server starts: it ends in good order, and leaves a data folder that the next one can use."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.integration.served import MODELS, ROOT, wait_for

SECONDS = 60


def stopped_after(seconds: float, data: Path, log: Path, how: signal.Signals) -> int:
    """Start a server, stop it so long after it has said that it starts, and return its exit code."""
    docs = data.parent / "docs"
    docs.mkdir(exist_ok=True)
    command = [sys.executable, "-m", "factflow_server", "serve", "--embedded", "--port", "0"]
    with log.open("w", encoding="utf-8") as sink:
        process = subprocess.Popen(
            [*command, "--data-dir", str(data), "--docs", str(docs)],
            stdout=sink,
            stderr=subprocess.STDOUT,
            text=True,
            cwd=ROOT,
            env=os.environ | {"FACTFLOW_MODELS_DIR": str(MODELS)},
        )
    try:
        wait_for(process, log, "Starting", SECONDS)
        time.sleep(seconds)
        process.send_signal(how)
        return process.wait(SECONDS)
    finally:
        process.kill()
        process.wait(SECONDS)


@pytest.mark.slow
@pytest.mark.parametrize(
    "moments",
    [
        pytest.param([0.0, 0.7], id="twice"),
        pytest.param([n * 0.15 for n in range(20)], id="at many moments", marks=pytest.mark.soak),
    ],
)
def test_a_server_that_is_stopped_while_it_starts_ends_in_good_order(
    moments: list[float], tmp_path: Path
) -> None:
    """Without a traceback, without a PostgreSQL server left behind, and the next start goes as far."""
    data = tmp_path / "data"
    for number, moment in enumerate(moments):
        log = tmp_path / f"log-{number}"
        how = signal.SIGTERM if number % 2 else signal.SIGINT
        code = stopped_after(moment, data, log, how)
        logged = log.read_text(encoding="utf-8")
        assert code == 0, f"after {moment} seconds: {code}\n{logged}"
        assert "Traceback" not in logged
        assert not (data / "postgres" / "postmaster.pid").exists(), f"PostgreSQL still runs after {moment} s"
