"""A server that is stopped while people read from it and while it takes documents in."""

from __future__ import annotations

import signal
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier
from urllib.request import urlopen

import pytest

from tests.integration.served import ROOT, serving
from tests.integration.working import until

pytestmark = pytest.mark.slow


def read(url: str, all_open: Barrier) -> tuple[str, float]:
    """All that a stream tells, and when it ended; waits for the others to be open too."""
    with urlopen(url, timeout=60) as stream:
        all_open.wait(30)
        told = stream.read().decode()
    return told, time.monotonic()


def test_streams_are_ended_and_lineage_is_kept_when_stopped_twice(tmp_path: Path) -> None:
    """Within a second or so each with a last event, whole; the second signal tears at nothing, and the exit code is 0."""
    with serving(tmp_path / "data", ROOT / "docs", tmp_path / "log") as served, ThreadPoolExecutor(4) as pool:
        (run,) = until(served.executions, bool, 20)
        path = f"{served.url}/api/v1/executions/{run['id']}"
        names = ("events", "storage-stream") * 2
        all_open = Barrier(len(names) + 1)
        reading = [pool.submit(read, f"{path}/{name}", all_open) for name in names]
        all_open.wait(30)
        stopped_at = time.monotonic()
        served.process.send_signal(signal.SIGTERM)
        served.wait_for("Stopping …")
        served.process.send_signal(signal.SIGTERM)
        code = served.process.wait(30)
        for told, ended_at in (one.result(10) for one in reading):
            assert '"error_code":"server_stopping"' in told.splitlines()[-2]
            assert ended_at - stopped_at < 3
    log = (tmp_path / "log").read_text(encoding="utf-8")
    assert (code, "Traceback" in log, "dropped" in log) == (0, False, False), log
    assert "Still stopping" in log
