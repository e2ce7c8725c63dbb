"""Whether the API is as its description says: schemathesis asks a real server whatever that allows and forbids.

Examples, boundaries, random and malformed values of every operation, and chains of operations along their links.
"""

from __future__ import annotations

import http.client
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from domain.access.key_text import key_text
from tests.integration.served import ROOT, Served, serving

pytestmark = pytest.mark.slow
SETTINGS = ROOT / "tests" / "schemathesis.toml"
BODY = b'{"query": "tides", "limit": 3, "filters": {"origin": "a"}}'


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("described")
    docs = folder / "docs"
    docs.mkdir()
    (docs / "tides.md").write_text("# Tides\n\nThe moon pulls the sea.\n", encoding="utf-8")
    with serving(folder / "data", docs, folder / "log") as server:
        server.wait_until_greeted()
        yield server


@pytest.mark.parametrize(
    "seconds", [pytest.param(25, id="sample"), pytest.param(300, id="long", marks=pytest.mark.soak)]
)
def test_no_answer_is_other_than_described(served: Served, tmp_path: Path, seconds: int) -> None:
    """No defect, no status and no shape that the description does not have; what it forbids is refused."""
    _require_described(served, tmp_path, seconds)


@pytest.mark.soak
def test_no_answer_is_other_than_described_where_keys_are_needed(tmp_path: Path) -> None:
    """Nor does an operation that needs a key answer without one, or with a wrong one."""
    key = key_text("test", bytes(range(32)))
    (tmp_path / "docs").mkdir()
    environment = {
        "FACTFLOW_AUTHENTICATION": "keys",
        "FACTFLOW_BOOTSTRAP_KEY": key,
        "FACTFLOW_RATE_LIMIT_PER_MINUTE": "0",
    }
    with serving(tmp_path / "data", tmp_path / "docs", tmp_path / "log", **environment) as server:
        server.wait_until_greeted()
        _require_described(server, tmp_path, 60, "--header", f"Authorization: Bearer {key}")


def _require_described(served: Served, tmp_path: Path, seconds: int, *more: str) -> None:
    asked = subprocess.run(
        [
            *(sys.executable, "-m", "schemathesis.cli", "--config-file", str(SETTINGS), "run"),
            *(f"{served.url}/openapi.json", "--max-time", str(seconds), "--request-timeout", "30"),
            *("--continue-on-failure", "--warnings", "off", "--no-color", *more),
        ],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        timeout=seconds + 120,
        check=False,
    )
    assert asked.returncode == 0, asked.stdout[-20_000:] + asked.stderr[-2_000:]
    assert "No issues found" in asked.stdout
    assert "Traceback" not in served.log.read_text(encoding="utf-8")


def _status(served: Served, sent: bytes, *, is_all: bool = True) -> int:
    """Send bytes as they are and read the status of the answer; 0 when there is none.

    A client that has not sent all goes away for good.
    """
    address = urlsplit(served.url)
    connection = http.client.HTTPConnection(address.hostname or "", address.port, timeout=30)
    try:
        connection.connect()
        connection.sock.sendall(sent)
        if not is_all:
            connection.sock.shutdown(socket.SHUT_WR)
        line = connection.sock.makefile("rb").readline()
    finally:
        connection.close()
    return int(line.split()[1]) if line else 0


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(cut=st.integers(0, len(BODY) - 1), tells_the_truth=st.booleans())
def test_a_body_that_is_cut_is_no_defect(served: Served, cut: int, tells_the_truth: bool) -> None:
    """Refused when it says how long it is; given up without an answer when more was promised than came."""
    length = cut if tells_the_truth else len(BODY)
    head = (
        b"POST /api/v1/search HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        b"Connection: close\r\nContent-Length: %d\r\n\r\n" % length
    )
    status = _status(served, head + BODY[:cut], is_all=tells_the_truth)
    assert status in ({400, 422} if tells_the_truth else {0, 400})


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    name=st.sampled_from(
        ["X-Request-Id", "traceparent", "If-Match", "If-None-Match", "Range", "Accept", "Accept-Encoding", "Origin",
         "Authorization", "Content-Type", "Content-Encoding", "Idempotency-Key", "Last-Event-ID", "Cookie", "Expect"]
    ),
    value=st.binary(max_size=60).map(lambda some: some.translate(None, b"\r\n\0")),
)  # fmt: skip
def test_no_header_is_a_defect(served: Served, name: str, value: bytes) -> None:
    """Whatever bytes it has."""
    for line in (b"GET /api/v1/executions", b"POST /api/v1/configs/validate"):
        head = line + b" HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: 0\r\n"
        status = _status(served, head + name.encode() + b": " + value + b"\r\n\r\n")
        assert status != 0
        assert status < 500
