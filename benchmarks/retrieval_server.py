"""A server over a folder of synthetic segments, in a process of its own: `retrieval_server DATA_FOLDER PORT`.

On the event loop that `serve` runs on.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import uvicorn
import uvloop
from dependency_injector import providers

from application.contents import Application
from benchmarks.stack import settings
from benchmarks.synthetic_segments import SyntheticModel
from entrypoints.composition.adapters import EmbeddedAdapters
from entrypoints.composition.api import http_api
from entrypoints.composition.running import running
from entrypoints.settings import Settings


@asynccontextmanager
async def synthetic_stack(data: Path) -> AsyncIterator[tuple[Application, EmbeddedAdapters, Settings]]:
    """The embedded stack over a folder, with the model of synthetic segments in the place of the built-in one."""
    stated = replace(settings(data), database_pool_size=24)
    adapters = EmbeddedAdapters(settings=stated)
    adapters.model.override(providers.Object(SyntheticModel()))
    async with running(stated, adapters) as application:
        yield application, adapters, stated


async def main(data: Path, port: int) -> None:
    """Serve until the process is ended."""
    async with synthetic_stack(data) as (application, _, stated):
        app = http_api(application, replace(stated, port=port), port=port)
        config = uvicorn.Config(
            app, port=port, log_config=None, access_log=False, lifespan="off", timeout_keep_alive=600
        )
        await uvicorn.Server(config).serve()


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main(Path(sys.argv[1]), int(sys.argv[2])))
