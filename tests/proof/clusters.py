"""A PostgreSQL server of a test's own, to be stopped and started again."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import tempfile
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg

from adapters.embedded_postgres.server import EmbeddedPostgres
from adapters.postgres.database import Database
from adapters.postgres.migration import migrate

SECONDS = 30


class Cluster:
    """A running server in a folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder / "postgres"
        self._server = EmbeddedPostgres(self._folder)
        asyncio.run(self._server.__aenter__())
        self.url = self._server.url
        self._command = Path(f"/proc/{self._postmaster()}/cmdline").read_bytes().split(b"\0")[:-1]
        self._user = Path(f"/proc/{self._postmaster()}").stat().st_uid

    def another_database(self) -> str:
        """The address of a new migrated database."""
        name = f"test_{uuid.uuid4().hex}"
        with psycopg.connect(self.url, autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name}")
        url = self.url.replace("/postgres?", f"/{name}?")
        asyncio.run(_migrate(url))
        return url

    def stop(self, how: signal.Signals) -> None:
        """Stop it: SIGQUIT is PostgreSQL's "immediate", SIGINT its "fast"."""
        process = self._postmaster()
        os.kill(process, how)
        until = time.monotonic() + SECONDS
        while _is_alive(process):
            assert time.monotonic() < until, "PostgreSQL does not stop"
            time.sleep(0.05)

    def kill(self) -> None:
        """End every process of it at once, as a power cut would."""
        processes = [self._postmaster(), *_children(self._postmaster())]
        for process in processes:
            os.kill(process, signal.SIGKILL)
        while any(map(_is_alive, processes)):
            time.sleep(0.05)
        # Nobody may have buried it, and then its number looks as if it were alive.
        for name in ("postmaster.pid", ".s.PGSQL.5432.lock"):
            (self._folder / name).unlink(missing_ok=True)

    def start(self) -> None:
        """Start it again, as it was started the first time."""
        with (self._folder / "log").open("ab") as log:
            subprocess.Popen(
                self._command,
                stdout=log,
                stderr=log,
                cwd=self._folder,
                user=self._user,
                start_new_session=True,
            ).returncode = 0  # it is the test's to stop, and nobody waits for it
        until = time.monotonic() + SECONDS
        while not self._answers():
            assert time.monotonic() < until, "PostgreSQL does not start"
            time.sleep(0.1)

    def freeze(self) -> list[int]:
        """Stop every process of it in its tracks; returns them."""
        postmaster = self._postmaster()
        processes = [postmaster, *_children(postmaster)]
        for process in processes:
            os.kill(process, signal.SIGSTOP)
        return processes

    def thaw(self, processes: list[int]) -> None:
        """Let them go on."""
        for process in processes:
            os.kill(process, signal.SIGCONT)

    def close(self) -> None:
        """Stop it for good."""
        if self._answers():
            self.stop(signal.SIGINT)
        asyncio.run(self._server.__aexit__(None, None, None))

    def _postmaster(self) -> int:
        return int((self._folder / "postmaster.pid").read_text().split()[0])

    def _answers(self) -> bool:
        try:
            psycopg.connect(self.url, connect_timeout=2).close()
        except psycopg.OperationalError:
            return False
        return True


@contextmanager
def cluster() -> Iterator[Cluster]:
    """A server in a folder with a short name, as its socket lies there."""
    with tempfile.TemporaryDirectory(prefix="factflow-tests-") as folder:
        running = Cluster(Path(folder))
        try:
            yield running
        finally:
            running.close()


async def _migrate(url: str) -> None:
    async with Database(url) as database:
        await migrate(database)


def _children(parent: int) -> list[int]:
    return [int(one) for one in Path(f"/proc/{parent}/task/{parent}/children").read_text().split()]


def _is_alive(process: int) -> bool:
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False
