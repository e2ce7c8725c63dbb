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


def refused(*arguments: str, command: str = "serve", **environment: str) -> tuple[int, str]:
    """The exit code and what was said by a server or worker that cannot start."""
    ended = subprocess.run(
        [sys.executable, "-m", "factflow_server", command, *arguments],
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
    assert "choose another port with --port" in said
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize("host", ["no-such-host.invalid", "192.0.2.1"])
def test_an_address_of_another_machine(host: str, tmp_path: Path) -> None:
    """Another port would not help."""
    code, said = refused(
        "--embedded", "--host", host, "--data-dir", str(tmp_path / "data"), FACTFLOW_AUTHENTICATION="keys"
    )
    assert code == 5
    assert "choose an address of this machine with --host" in said


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
    assert "set FACTFLOW_AUTHENTICATION=keys" in said


def test_an_open_server_for_other_machines() -> None:
    """Also when it is not embedded."""
    code, said = refused(
        "--host", "0.0.0.0", FACTFLOW_AUTHENTICATION="open", FACTFLOW_DATABASE_URL="postgresql://u@127.0.0.1:1/d"
    )  # fmt: skip
    assert code == 6
    assert "set FACTFLOW_AUTHENTICATION=keys" in said


def test_a_server_that_is_not_embedded_and_has_no_database() -> None:
    """It says which setting is missing, and how to go without."""
    code, said = refused()
    assert code == 2
    assert "a server without --embedded needs FACTFLOW_DATABASE_URL (missing_setting)" in said


def test_a_worker_without_addresses() -> None:
    """All that is missing is said at once."""
    code, said = refused(command="worker")
    assert code == 2
    for name in ("FACTFLOW_DATABASE_URL", "FACTFLOW_QUEUE_URL", "FACTFLOW_STORAGE_URL"):
        assert f"  {name}: " in said


def test_a_server_without_routes_on_a_queue_of_its_own() -> None:
    """Nobody could process what it starts."""
    code, said = refused("--no-routes", FACTFLOW_DATABASE_URL="postgresql://nobody@127.0.0.1:1/none")
    assert code == 2
    assert "FACTFLOW_QUEUE_URL (contradictory_settings)" in said


@pytest.mark.parametrize(
    ("name", "value"), [("STORAGE_ENDPOINT", "http://s3:9000"), ("STORAGE_CREATE_BUCKET", "1")]
)
def test_what_is_for_buckets_with_a_storage_that_is_none(tmp_path: Path, name: str, value: str) -> None:
    """It would be for nothing."""
    code, said = refused("--embedded", **{"FACTFLOW_STORAGE_URL": str(tmp_path), f"FACTFLOW_{name}": value})
    assert code == 2
    assert "FACTFLOW_STORAGE_URL is no s3:// address" in said


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("FACTFLOW_QUEUE_URL", "http://user:secret@broker/"),
        ("FACTFLOW_STORAGE_URL", "gs://bucket"),
        ("FACTFLOW_DATABASE_URL", "mysql://user:secret@db/x"),
    ],
)
def test_addresses_of_another_kind(name: str, value: str) -> None:
    """No secret is shown."""
    code, said = refused(command="worker", **{name: value})
    assert code == 2
    assert f"{name} is " in said
    assert "secret" not in said


@pytest.mark.soak
def test_a_broker_that_does_not_answer(tmp_path: Path, embedded_postgres_url: str) -> None:
    """It is tried for a while, and then said."""
    code, said = refused(
        command="worker",
        FACTFLOW_DATABASE_URL=embedded_postgres_url,
        FACTFLOW_QUEUE_URL="amqp://guest:guest@127.0.0.1:1/",
        FACTFLOW_STORAGE_URL=str(tmp_path / "objects"),
        FACTFLOW_DATA_DIR=str(tmp_path / "data"),
    )
    assert code == 7
    assert "127.0.0.1:1" in said
    assert "guest:guest" not in said
