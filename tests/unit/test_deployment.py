"""What Dockerfile, compose.yaml and the page about them say, held against the code: no engine is needed for that."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import sys
import venv
from dataclasses import fields
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import click
import pytest
import yaml
from click.testing import CliRunner

from adapters.postgres import event_outbox, lineage_sink
from adapters.postgres.suitability import BESIDE_THE_POOL
from application.engine.engine import LONGEST_CLOSING_SECONDS
from application.webhooks.delivery_worker import WorkerSettings
from domain.access.key_text import key_text
from entrypoints import serve
from entrypoints.cli.main import factflow
from entrypoints.cli.server import server
from entrypoints.modes import require_for_serving, require_for_working
from entrypoints.settings import CLIENT_VARIABLES, Settings, variable

ROOT = Path(__file__).parents[2]
DOCKERFILE = (ROOT / "Dockerfile").read_text(encoding="utf-8")
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "compose.yaml").read_text(encoding="utf-8"))
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
PAGE = (ROOT / "docs" / "how-to" / "deploy.md").read_text(encoding="utf-8")

OURS = [name for name, service in SERVICES.items() if service.get("image") == "factflow-server"]
KEY = key_text("test", bytes(32))
BESIDE_DRAINING = (
    serve.GRACE_SECONDS
    + WorkerSettings().grace_seconds
    + LONGEST_CLOSING_SECONDS
    + lineage_sink.CLOSE_SECONDS
    + event_outbox.CLOSE_SECONDS
)
"""Seconds that requests, webhooks, handing back, lineage and events may take at the end, one after the other."""
SUBSTITUTION = re.compile(r"\$\{(\w+)(?::[?-]([^}]*))?\}")
IMAGE = re.compile(r"[a-z0-9-]+(/[a-z0-9-]+)?:[\w.-]+")
INSTRUCTION = re.compile(r"^([A-Z]+) ((?:.*\\\n)*.*)$", re.MULTILINE)


def instructions(name: str) -> list[str]:
    """The arguments of each instruction of that name, in order."""
    return [text.replace("\\\n", " ") for found, text in INSTRUCTION.findall(DOCKERFILE) if found == name]


def image_environment() -> dict[str, str]:
    """What the image sets."""
    return dict(pair.split("=", 1) for pair in shlex.split(instructions("ENV")[-1]))


def environment(service: dict[str, Any]) -> dict[str, str]:
    """What a service is told, with every secret filled in."""
    return {
        name: SUBSTITUTION.sub(KEY if "API_KEY" in str(text) else "x" * 32, str(text))
        for name, text in service.get("environment", {}).items()
    }


def settings_of(name: str) -> Settings:
    told = image_environment() | environment(SERVICES[name])
    return Settings.read({key: value for key, value in told.items() if key.startswith("FACTFLOW_")})


def parsed(group: click.Command, arguments: list[str]) -> None:
    """Have the command line read the arguments, as far as to show the help of what they name."""
    ended = CliRunner().invoke(group, [*arguments, "--help"])
    assert (ended.exit_code, "Usage:" in ended.output) == (0, True), ended.output


def test_every_variable_is_a_setting() -> None:
    """In the image, in the services and on the page."""
    known = {variable(item.name) for item in fields(Settings)} | set(CLIENT_VARIABLES)
    named = {
        name
        for text in (DOCKERFILE, (ROOT / "compose.yaml").read_text(encoding="utf-8"), PAGE)
        for name in re.findall(r"FACTFLOW_[A-Z0-9_]+", text)
    }
    assert named - known == set()


def test_services_can_start_with_their_settings() -> None:
    """Each variable has a value that is allowed, and none is missing."""
    assert sorted(OURS) == ["server", "worker"]
    require_for_serving(settings_of("server"), embedded=False)
    require_for_working(settings_of("worker"))


def test_services_are_told_of_each_other_by_name() -> None:
    """A host in an address is a service."""
    told = environment(SERVICES["worker"])
    hosts = {urlsplit(value).hostname for value in told.values() if "://" in value and "s3://" not in value}
    assert hosts == {"postgres", "rabbitmq", "storage"}
    assert hosts <= SERVICES.keys()


def test_commands_are_commands() -> None:
    """Of the server, and of the health check."""
    (entry_point,) = instructions("ENTRYPOINT")
    assert json.loads(entry_point) == ["python", "-m", "factflow_server"]
    (default,) = instructions("CMD")
    for arguments in [json.loads(default), *(SERVICES[name]["command"] for name in OURS)]:
        parsed(server, list(arguments))
    program, *arguments = json.loads(re.findall(r"CMD (\[.*\])", instructions("HEALTHCHECK")[0])[0])
    assert program == "factflow"
    parsed(factflow, arguments)


def test_a_worker_has_time_to_drain() -> None:
    """Nobody kills it before."""
    for name in OURS:
        grace = float(SERVICES[name]["stop_grace_period"].removesuffix("s"))
        assert grace > settings_of(name).drain_seconds + BESIDE_DRAINING
    (said,) = re.findall(r"`FACTFLOW_DRAIN_SECONDS` for that, and (\d+) seconds beside it", PAGE)
    assert float(said) == BESIDE_DRAINING


def test_the_page_names_the_settings_that_must_be_the_same() -> None:
    """Those of all processes, and those of servers, as the settings have it."""
    for who, begin in (("processes", "must be the same in every process:"), ("servers", "in every server:")):
        (names,) = re.findall(rf"{begin}\n+((?:[^\n]*FACTFLOW[^\n]*\n)+)", PAGE)
        shared = {variable(item.name) for item in fields(Settings) if item.metadata["shared_by"] == who}
        assert set(re.findall(r"FACTFLOW_[A-Z_]+", names)) == shared


def test_the_page_counts_the_connections() -> None:
    """Of the pool, and beside it."""
    (beside,) = re.findall(r"at most `FACTFLOW_DATABASE_POOL_SIZE` and (\d+) more to PostgreSQL", PAGE)
    (least,) = re.findall(r"`max_connections` of at least (\d+) for each process", PAGE)
    assert int(beside) == BESIDE_THE_POOL
    assert int(least) == Settings().database_pool_size + BESIDE_THE_POOL


def test_documents_are_a_folder_however_they_are_named() -> None:
    """In the short form a name without a slash would be a volume."""
    for name in OURS:
        (mount,) = [one for one in SERVICES[name]["volumes"] if isinstance(one, dict)]
        assert mount == {
            "type": "bind",
            "source": "${DOCUMENTS:-./docs}",
            "target": "/documents",
            "read_only": True,
        }


def test_two_workers_and_one_server() -> None:
    assert SERVICES["worker"]["deploy"]["replicas"] == 2
    assert not settings_of("server").routes or "--no-routes" in SERVICES["server"]["command"]


def test_nothing_but_loopback_is_published() -> None:
    """The server speaks plain HTTP."""
    published = [port for service in SERVICES.values() for port in service.get("ports", ())]
    assert published
    assert all(port.startswith("127.0.0.1:") for port in published)


def test_images_are_named_plainly_and_by_version() -> None:
    """No registry's host, and no `latest`."""
    images = [line.split()[0] for line in instructions("FROM")]
    images += [service["image"] for name, service in SERVICES.items() if name not in OURS]
    assert [image for image in images if not IMAGE.fullmatch(image) or image.endswith(":latest")] == []


def test_secrets_have_no_default() -> None:
    """Compose refuses to start without them."""
    for service in SERVICES.values():
        for name, value in service.get("environment", {}).items():
            if re.search("PASS|SECRET|WEBHOOK_KEY|API_KEY|BOOTSTRAP", name):
                assert re.fullmatch(r"\$\{\w+:\?[^}]+\}", value), name


def test_the_image_does_not_run_as_root() -> None:
    """From the last stage on to its end."""
    last_stage = DOCKERFILE.rpartition("\nFROM ")[2]
    assert re.findall(r"^USER (\S+)$", last_stage, re.MULTILINE)[-1] == "factflow"


def test_what_is_copied_is_there_and_let_in() -> None:
    """`.dockerignore` leaves out all that it does not name."""
    let_in = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    copied = {
        source
        for line in instructions("COPY")
        if not line.startswith("--from")
        for source in line.split()[:-1]
    }
    assert copied == let_in
    assert all((ROOT / name).exists() for name in copied)


def test_volumes_are_declared() -> None:
    """And each is used."""
    used = {
        volume.split(":")[0]
        for service in SERVICES.values()
        for volume in service.get("volumes", ())
        if isinstance(volume, str) and not volume.startswith(("/", ".", "$"))
    }
    assert used == COMPOSE["volumes"].keys()


@pytest.mark.soak
def test_the_wheel_can_be_installed(tmp_path: Path) -> None:
    """With the pinned versions, into an environment of its own: as the image does."""
    venv.create(tmp_path / "venv", with_pip=True)
    python = str(tmp_path / "venv" / "bin" / "python")
    pip = [python, "-m", "pip", "--quiet", "--disable-pip-version-check"]
    constraints = ["--constraint", str(ROOT / "constraints.txt")]
    subprocess.run(
        [*pip, "wheel", "--no-deps", "--wheel-dir", str(tmp_path), str(ROOT)], check=True, cwd=tmp_path
    )
    (wheel,) = tmp_path.glob("factflow_server-*.whl")
    subprocess.run([*pip, "install", *constraints, str(wheel)], check=True, cwd=tmp_path)
    for command in (["-m", "factflow_server", "--help"], ["-m", "factflow_server", "worker", "--help"]):
        shown = subprocess.run([python, *command], check=True, capture_output=True, text=True, cwd=tmp_path)
        assert "Usage: python -m factflow_server" in shown.stdout
    subprocess.run([tmp_path / "venv" / "bin" / "factflow", "--version"], check=True, cwd=tmp_path)
    assert sys.version_info >= (3, 11)
