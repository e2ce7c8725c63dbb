"""A worker whose messages cost processor time, started by the benchmark `workers` as a process of its own."""

from __future__ import annotations

import asyncio
import os
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

from adapters.memory.models import MemoryEmbeddingModel
from adapters.pipeline.registry import PipelineAdapters, Registration
from application.contents import Application
from application.ports.pipeline_adapter import AdapterResult, PipelineContext
from benchmarks.messages import NoConfig, Source
from entrypoints.composition.adapters import ServerAdapters
from entrypoints.composition.running import running
from entrypoints.settings import Settings
from entrypoints.stop_signal import StopSignal

BUSY_SECONDS = 0.05
READY = "working"


class Busy:
    """Needs so much processor time in Python that nothing else of its process can have meanwhile."""

    async def process(self, context: PipelineContext) -> AdapterResult:
        """The same message."""
        await asyncio.to_thread(_spend, BUSY_SECONDS)
        return AdapterResult(message=context.message)


def _spend(seconds: float) -> None:
    until, number = time.thread_time() + seconds, 0
    while time.thread_time() < until:
        number = sum(range(1000), number)


@asynccontextmanager
async def sharing(
    database_url: str, queue_url: str, data: Path, *, routes: bool
) -> AsyncIterator[Application]:
    """The composition of a server of many, with the pipeline adapters ``source`` and ``busy``."""
    stated = replace(
        Settings.read(os.environ),
        data_dir=data,
        database_url=database_url,
        queue_url=queue_url,
        docs=None,
        llm_base_url=None,
        routes=routes,
        config_validator_strict=False,
    )
    adapters = ServerAdapters(settings=stated)
    adapters.model.override(MemoryEmbeddingModel())
    adapters.registry.override(PipelineAdapters([_registered("source", Source), _registered("busy", Busy)]))
    async with running(stated, adapters) as application:
        yield application


def _registered(name: str, adapter: type[Source | Busy]) -> Registration:
    return Registration(type=name, description=name, version="1", config=NoConfig, build=lambda _: adapter())


async def main() -> None:
    """Work until a signal comes: `busy_worker DATABASE_URL QUEUE_URL DATA_FOLDER`."""
    stop = StopSignal()
    stop.listen()
    async with sharing(sys.argv[1], sys.argv[2], Path(sys.argv[3]), routes=True):
        stop.has_started()
        print(READY, flush=True)
        await stop.requested.wait()


if __name__ == "__main__":
    asyncio.run(main())
