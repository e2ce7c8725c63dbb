"""The doctor: what it finds, and that it changes nothing."""

import fcntl
import json
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from entrypoints.cli import machine
from entrypoints.cli.doctor import as_json, as_table, checks_of, mode, settings_checks
from entrypoints.cli.language_model_check import language_model
from entrypoints.cli.machine import Check, State
from entrypoints.cli.services import services
from entrypoints.data_folder import LOCK_FILE
from entrypoints.settings import Settings


def test_a_folder_that_is_not_there_yet_is_fine_and_stays_away(tmp_path: Path) -> None:
    """The doctor makes nothing."""
    assert machine.data_folder(tmp_path / "a" / "b").state is State.OK
    assert list(tmp_path.iterdir()) == []


def test_a_file_in_the_place_of_the_folder_is_found(tmp_path: Path) -> None:
    """Also as one of its parents."""
    (tmp_path / "file").write_text("x")
    assert machine.data_folder(tmp_path / "file").state is State.FAILED
    assert machine.data_folder(tmp_path / "file" / "data").state is State.FAILED


def test_a_folder_in_use_is_found(tmp_path: Path) -> None:
    """Asking does not take the lock."""
    with (tmp_path / LOCK_FILE).open("w") as lock:
        assert machine.data_folder(tmp_path).state is State.OK
        fcntl.flock(lock, fcntl.LOCK_EX)
        check = machine.data_folder(tmp_path)
        assert (check.state, check.message) == (State.FAILED, f"{tmp_path} is in use by another server")
    assert machine.data_folder(tmp_path).state is State.OK


def test_a_port_in_use_is_found() -> None:
    """And one that is free is free afterwards too."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        number = listener.getsockname()[1]
        assert machine.port("127.0.0.1", number).message == f"127.0.0.1 port {number}: in use"
    assert machine.port("127.0.0.1", number).state is State.OK


@pytest.mark.parametrize("host", ["192.0.2.1", "no-such-host.invalid"])
def test_an_address_of_another_machine_is_found(host: str) -> None:
    """Nobody can listen there from here."""
    assert machine.port(host, 8000).state is State.FAILED


@pytest.mark.parametrize(
    ("host", "state"),
    [
        ("127.0.0.1", "ok"),
        ("::1", "ok"),
        ("localhost", "ok"),
        ("0.0.0.0", "failed"),
        ("example.org", "failed"),
    ],
)
def test_an_open_door_is_pointed_out(host: str, state: str) -> None:
    """An embedded server asks for no key, unless it is told to."""
    assert machine.exposure(host).state == state
    assert machine.exposure(host, needs_keys=True).state is State.OK


def test_settings_that_do_not_go_together_are_found() -> None:
    """As a start would: with what each is for."""
    check = mode(Settings(database_url="postgresql://h/d", queue_url="amqp://h"), is_embedded=False)
    assert (check.name, check.state) == ("mode", State.FAILED)
    assert check.message == "a server on a shared queue needs FACTFLOW_STORAGE_URL"
    assert check.hint.startswith("FACTFLOW_STORAGE_URL: where all processes find")
    assert mode(Settings(), is_embedded=True).state is State.OK


def test_a_storage_in_a_folder_is_looked_at_and_not_made(tmp_path: Path) -> None:
    """No other service is asked where no address is set."""
    (check,) = services(Settings(storage_url=str(tmp_path / "shared")))
    assert (check.name, check.state) == ("storage", State.OK)
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "file").write_text("x")
    (check,) = services(Settings(storage_url=str(tmp_path / "file")))
    assert (check.state, check.hint) == (State.FAILED, "check FACTFLOW_STORAGE_URL")
    assert services(Settings()) == []


def test_little_room_matters_to_a_database_of_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A server whose database is elsewhere keeps little."""
    monkeypatch.setattr(machine, "NEEDED_BYTES", 1 << 60)
    monkeypatch.setattr(machine, "AMPLE_BYTES", 1 << 61)
    assert machine.disk(tmp_path).state is State.FAILED
    assert machine.disk(tmp_path, has_database=False).state is State.WARNING


def test_a_package_that_is_missing_is_named() -> None:
    """As in an environment that is older than the code; in a process of its own, where nothing is imported yet."""
    script = (
        "import sys; sys.modules['uvicorn'] = None; from entrypoints.cli import machine; "
        "check = machine.packages(); print(check.state, check.message, check.hint)"
    )
    told = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout
    assert told.startswith("failed")
    assert "uvicorn" in told
    assert "make setup" in told
    assert machine.packages().state is State.OK


def test_a_missing_folder_of_documents_is_found(tmp_path: Path) -> None:
    """Before the server starts and says so itself."""
    assert machine.documents(tmp_path / "none").state is State.FAILED
    assert machine.documents(tmp_path).state is State.OK
    assert machine.documents(None).message == "the project's own docs"
    assert machine.documents(None, has_default=False).message == "none to take in"


def test_everything_wrong_with_the_settings_is_a_check() -> None:
    """And so is what nothing reads."""
    checks = settings_checks({"FACTFLOW_PORT": "x", "FACTFLOW_HOTS": "h"}, {"data_dir": ""})
    assert [check.state for check in checks] == [State.FAILED, State.FAILED, State.WARNING]
    assert checks[2].message == "nothing reads FACTFLOW_HOTS; did you mean FACTFLOW_HOST?"


def test_wrong_settings_are_not_taken_for_the_defaults(tmp_path: Path) -> None:
    """What hangs on them is not told at all, and what is set and right is looked at."""
    said = {
        "FACTFLOW_PORT": "x",
        "FACTFLOW_HOST": "0.0.0.0",
        "FACTFLOW_STORAGE_URL": str(tmp_path / "kept"),
    }
    checks = {check.name: check for check in checks_of(said, {})}
    assert not {"mode", "port", "exposure", "data folder"} & checks.keys()
    assert checks["settings"].state is State.FAILED
    assert checks["others"].state is State.WARNING
    assert str(tmp_path) in checks["storage"].message
    told = {check.name: check for check in checks_of({**said, "FACTFLOW_PORT": "18771"}, {})}
    assert "18771" in told["port"].message
    assert {"mode", "exposure"} <= told.keys()


def test_a_service_with_a_wrong_setting_is_not_asked() -> None:
    """Without its endpoint a bucket would be looked for at Amazon, with keys that are meant for another."""
    said = {
        "FACTFLOW_STORAGE_URL": "s3://bucket",
        "FACTFLOW_STORAGE_ENDPOINT": "nonsense",
        "FACTFLOW_DATABASE_URL": "postgresql://u:p@127.0.0.1:1/db",
    }
    checks = {check.name: check for check in checks_of(said, {})}
    assert "FACTFLOW_STORAGE_ENDPOINT" in checks["settings"].message
    assert ("storage" in checks, checks["database"].state) == (False, State.FAILED)


def test_a_language_model_that_is_away_is_found() -> None:
    """With the address that was tried, and never the key."""
    check = language_model(Settings(llm_base_url="http://127.0.0.1:1/v1", llm_api_key="hush"))
    assert check.state is State.FAILED
    assert "http://127.0.0.1:1/v1" in check.message
    assert "hush" not in check.message + check.hint


def test_the_report_reads_well_and_parses() -> None:
    """For people and for programs."""
    checks = [
        Check("port", State.FAILED, "in use", "choose another"),
        Check("disk", State.OK, "\x1b[2J room"),
    ]
    assert as_table(checks).splitlines() == [
        "FAILED   port  in use", "               choose another", "ok       disk  \N{REPLACEMENT CHARACTER}[2J room", "",
        "a server cannot run here yet: 1 failed",
    ]  # fmt: skip
    assert json.loads(as_json(checks))["ok"] is False


@pytest.mark.slow
def test_the_command_ends_with_what_it_found(tmp_path: Path) -> None:
    """Exit code 1 when a server could not run; it is run in a process of its own."""
    command = [
        sys.executable,
        "-m",
        "factflow_server",
        "doctor",
        "--output",
        "json",
        "--docs",
        str(tmp_path / "none"),
    ]
    ran = subprocess.run([*command, "--data-dir", str(tmp_path)], capture_output=True, text=True, check=False)
    assert ran.returncode == 1
    failed = [check["name"] for check in json.loads(ran.stdout)["checks"] if check["state"] == "failed"]
    assert "documents" in failed
    assert list(tmp_path.iterdir()) == []
