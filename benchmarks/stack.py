"""A throw-away embedded stack, and what its work costs."""

from __future__ import annotations

import os
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import psutil  # type: ignore[import-untyped]  # its stubs are a package of their own

from application.contents import Application
from application.search import SearchRequest
from benchmarks.outcome import NotMeasurable
from domain.errors import FactflowError
from domain.execution import ExecutionStatus
from entrypoints.composition.running import running
from entrypoints.ingestion import ingest_folder
from entrypoints.settings import Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """Seconds on the clock, and seconds of processor time of this process and of PostgreSQL."""

    seconds: float
    cpu: float
    postgres_cpu: float = 0.0


def settings(data: Path) -> Settings:
    """The settings of the environment, turned to a data folder and to nothing outside it."""
    stated = Settings.read(os.environ)
    return replace(stated, data_dir=data, database_url=None, queue_url=None, docs=None, llm_base_url=None)


@asynccontextmanager
async def warm_stack(data: Path) -> AsyncIterator[Application]:
    """The embedded stack in a folder, its model having run once; raises NotMeasurable when it does not start."""
    try:
        async with running(settings(data)) as application:
            await application.search.find(SearchRequest(query="warm up"))
            yield application
    except FactflowError as error:
        raise NotMeasurable(f"the embedded stack does not run: {error.message} ({error.code})") from error


async def ingest(application: Application, folder: Path, *, data: Path) -> Cost:
    """Take a folder in through the shipped pipeline and tell what that cost; raises NotMeasurable if any of it failed."""
    postgres = PostgresProcesses(data)
    before, own, started = postgres.cpu(), time.process_time(), time.perf_counter()
    ingested = await ingest_folder(application, folder, lambda _: None)
    cost = Cost(
        seconds=time.perf_counter() - started,
        cpu=time.process_time() - own,
        postgres_cpu=postgres.cpu() - before,
    )
    if ingested.execution.status is not ExecutionStatus.COMPLETED or ingested.failures:
        reasons = "; ".join(ingested.failures[:3])
        raise NotMeasurable(f"the run ended {ingested.execution.status.value}: {reasons}")
    return cost


class PostgresProcesses:
    """The processes of the embedded PostgreSQL server of a data folder."""

    def __init__(self, data: Path) -> None:
        self._pid_file = data / "postgres" / "postmaster.pid"

    def cpu(self) -> float:
        """Seconds of processor time so far: of the server, of its processes, and (on Linux) of those that ended."""
        server = psutil.Process(int(self._lines()[0]))
        ended = server.cpu_times()
        living = [server, *server.children(recursive=True)]
        return _cpu(living) + ended.children_user + ended.children_system

    def url(self) -> str:
        """Where the server answers."""
        lines = self._lines()
        return f"postgresql://postgres:@/postgres?host={lines[4]}&port={lines[3]}"

    def _lines(self) -> Sequence[str]:
        return self._pid_file.read_text(encoding="utf-8").splitlines()


def _cpu(processes: Sequence[psutil.Process]) -> float:
    total = 0.0
    for process in processes:
        try:
            times = process.cpu_times()
        except psutil.NoSuchProcess:
            continue
        total += times.user + times.system
    return total
