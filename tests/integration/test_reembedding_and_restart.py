"""A server that is killed while it fills an embedding slot fills it after a restart, with one model's vectors."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from hashlib import blake2b
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import psycopg
import pytest

from adapters.embedded_postgres.server import EmbeddedPostgres
from tests.integration.served import Served, serving
from tests.integration.test_kill_and_restart import written_folder
from tests.integration.working import until

DIMENSION = 8
PACE_SECONDS = 0.3
VECTORS = """
    SELECT s.text, e.model_name, e.embedding::real[] FROM segment s
    LEFT JOIN segment_embedding e ON e.segment_key = s.key WHERE s.is_current
"""


def vector(text: str) -> list[float]:
    """One that only this text has; in halves and quarters, which half precision keeps."""
    return [1.0 + (byte % 8) / 4 for byte in blake2b(text.encode(), digest_size=DIMENSION).digest()]


class Embedding(BaseHTTPRequestHandler):
    """An endpoint that takes its time."""

    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        time.sleep(PACE_SECONDS)
        data = [{"index": place, "embedding": vector(text)} for place, text in enumerate(asked["input"])]
        body = json.dumps({"data": data, "model": asked["model"]}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *arguments: Any) -> None:
        """Says nothing."""


@contextmanager
def embedding_endpoint() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Embedding) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}/v1"
        finally:
            server.shutdown()


def run_when(served: Served, run_id: str, is_so: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
    """The re-embedding run when something is true of it."""
    run: dict[str, Any] = until(lambda: served.get(f"/embeddings/reembed/{run_id}"), is_so, 90)
    return run


def vectors_in(data_dir: Path) -> Sequence[tuple[str, str, list[float]]]:
    async def read() -> Sequence[Any]:
        async with EmbeddedPostgres(data_dir / "postgres") as server:
            with psycopg.connect(server.url) as connection:
                return connection.execute(VECTORS).fetchall()

    return asyncio.run(read())


def direction(numbers: Sequence[float]) -> list[float]:
    return [number / sum(one * one for one in numbers) ** 0.5 for number in numbers]


@pytest.mark.soak
def test_a_server_killed_while_it_embeds_anew_fills_the_slot_after_a_restart(tmp_path: Path) -> None:
    """Every segment has one vector of its own text in each slot, and a second run finds nothing to do."""
    folder, data = written_folder(tmp_path / "docs", files=120), tmp_path / "data"
    with embedding_endpoint() as address:
        slot = {"model_name": "further", "base_url": address, "dimension": DIMENSION, "batch": 4}
        slots = {"FACTFLOW_EMBEDDING_SLOTS": json.dumps([slot])}
        with serving(data, folder, tmp_path / "log-0", **slots) as served:
            served.wait_until_greeted()
            run_id = served.post("/embeddings/reembed", {"model_name": "further"})["job_id"]
            broken_off = run_when(served, run_id, lambda run: run["embedded"] > 0)
            served.kill()
        assert 0 < broken_off["embedded"] < broken_off["total"]
        with serving(data, folder, tmp_path / "log-1", **slots) as served:
            run = run_when(served, run_id, lambda run: run["status"] not in {"running", "interrupted"})
            again = served.post("/embeddings/reembed", {"model_name": "further"})
            repeated = run_when(served, again["job_id"], lambda run: run["status"] == "completed")
            assert served.stop() == 0
    assert (run["status"], run["failed"], run["embedded"]) == ("completed", 0, run["total"])
    assert (repeated["total"], repeated["segments_lacking"]) == (0, 0)
    rows = vectors_in(data)
    further = [(text, numbers) for text, name, numbers in rows if name == "further"]
    assert {name for _, name, _ in rows} == {"minilm", "further"}
    assert len(further) == len(rows) // 2 == run["total"]
    for text, numbers in further:
        assert direction(numbers) == pytest.approx(direction(vector(text)), abs=2e-3)
