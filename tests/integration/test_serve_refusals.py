"""What keeps a server from starting is said in one clear line."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tests.integration.served import ROOT, serving

pytestmark = pytest.mark.slow


def refused(*arguments: str, **environment: str) -> tuple[int, str]:
    """The exit code and what was said by a server that cannot start."""
    ended = subprocess.run(
        [sys.executable, "-m", "factflow_server", "serve", *arguments],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env=os.environ | environment,
        timeout=60,
        check=False,
    )
    assert "Traceback" not in ended.stderr
    return ended.returncode, ended.stderr


def test_a_port_in_use(tmp_path: Path) -> None:
    """Nothing is started before the port is ours."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        code, said = refused("--embedded", "--port", str(port), "--data-dir", str(tmp_path / "data"))
    assert code == 5
    assert f"cannot listen on 127.0.0.1:{port}" in said
    assert not (tmp_path / "data").exists()


def test_a_data_folder_that_is_not_a_folder(tmp_path: Path) -> None:
    """The message names it."""
    (tmp_path / "data").write_text("a file")
    code, said = refused("--embedded", "--port", "0", "--data-dir", str(tmp_path / "data"))
    assert code == 2
    assert f"the data folder {tmp_path / 'data'} cannot be used" in said


def test_a_data_folder_in_use_by_another_server(tmp_path: Path) -> None:
    """The second server leaves the first one's runs alone."""
    (tmp_path / "docs").mkdir()
    with serving(tmp_path / "data", tmp_path / "docs", tmp_path / "log") as served:
        served.wait_until_greeted()
        code, said = refused("--embedded", "--port", "0", "--data-dir", str(tmp_path / "data"))
        assert served.get("/system/health")["status"] == "healthy"
    assert code == 5
    assert f"another server (process {served.process.pid}) is using the data folder" in said


def test_a_missing_documents_folder_does_not_keep_the_server_from_serving(tmp_path: Path) -> None:
    """It says what is missing, and serves what it has."""
    with serving(tmp_path / "data", tmp_path / "nowhere", tmp_path / "log") as served:
        log = served.wait_until_greeted()
        assert served.get("/system/health")["status"] == "healthy"
        assert served.stop() == 0
    assert str(tmp_path / "nowhere") in log
    assert "error: taking in" in log


def test_settings_that_are_wrong_are_all_named(tmp_path: Path) -> None:
    """Not one at a time."""
    code, said = refused(
        "--embedded", "--port", "99999", FACTFLOW_LOG_LEVEL="loud", FACTFLOW_DATA_DIR=str(tmp_path)
    )
    assert code == 2
    assert "--port is '99999'" in said
    assert "FACTFLOW_LOG_LEVEL is 'loud'" in said


def test_an_address_that_is_not_this_machine(tmp_path: Path) -> None:
    """Without keys an embedded server answers this machine alone."""
    code, said = refused("--embedded", "--host", "0.0.0.0", "--data-dir", str(tmp_path / "data"))
    assert code == 6
    assert "listens on this machine alone" in said


def test_a_server_that_is_not_embedded() -> None:
    """This version has one way to run, and says so."""
    code, said = refused()
    assert code == 2
    assert "--embedded" in said
