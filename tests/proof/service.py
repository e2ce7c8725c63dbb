"""The service with a small pipeline of its own, to be killed. Run as a program: `service.py OPTIONS`, as JSON.

Options: ``database_url``, ``folder``; ``fan`` messages each of which becomes two, ``pace`` seconds for each of them;
``die_at`` a fault point, at its ``passing``-th passing; ``poison`` the path of a message that kills its process;
``serves`` whether it answers over HTTP, and goes on doing so when the run has ended; ``collects`` how many
messages are joined to one on their way, 0 for none.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import msgspec
from dependency_injector import providers

from adapters.memory.models import MemoryEmbeddingModel
from adapters.pipeline import batch_collector
from adapters.pipeline.registry import PipelineAdapters
from application.contents import Application
from application.engine import inbox, streaming
from application.engine.ports import EnginePorts
from application.ports.pipeline_adapter import (
    AdapterResult,
    Emission,
    PipelineAdapter,
    PipelineContext,
    Registration,
)
from application.ports.readiness import ComponentHealth, Health
from domain.execution import ExecutionNotFound
from entrypoints import serve
from entrypoints.composition import running as composition
from entrypoints.composition.adapters import EmbeddedAdapters
from entrypoints.settings import Settings
from tests.unit.engines import Act, ActingAdapter

TAG = "proof"
CHUNK = 8
WINDOW = 12
"""So small that most messages go by the queue, and some are handed over."""
YAML = """
version: "1.0"
routes:
  split:
    inbound: {queue: split, concurrency: 1}
    adapters: [{type: proof_split}]
    outbound: work
  work:
    inbound: {queue: work, concurrency: 8}
    adapters: [{type: proof_work}]
    outbound: store
  store:
    inbound: {queue: store, concurrency: 8}
    adapters: [{type: proof_store}]
init_message: {route: split, payload: {path: root}}
error_handling: {max_retries: 2, retry_delay_seconds: 0.1}
"""
COLLECTING_YAML = YAML.replace(
    "    outbound: store\n",
    """    outbound: gather
  gather:
    inbound: {queue: gather, concurrency: 2}
    adapters: [{type: batch_collector, config: {max_messages: MOST, flush_seconds: 3600}}]
    outbound: store
""",
)


class Options(msgspec.Struct, forbid_unknown_fields=True):
    """See the module."""

    database_url: str
    folder: str
    fan: int = 80
    pace: float = 0.0
    die_at: str | None = None
    passing: int = 1
    poison: str | None = None
    serves: bool = False
    lease: float = 3.0
    collects: int = 0


class Nothing(msgspec.Struct, forbid_unknown_fields=True):
    """The config of adapters that have none."""


class Words(MemoryEmbeddingModel):
    """A model that answers for its health."""

    component = "model"

    async def check(self) -> ComponentHealth:
        return ComponentHealth(name=self.component, health=Health.HEALTHY)


def _built(act: Act, _: object) -> PipelineAdapter:
    return ActingAdapter(act)


def registry(options: Options) -> PipelineAdapters:
    """The pipeline adapters of the pipeline."""
    record = os.open(Path(options.folder) / "record", os.O_CREAT | os.O_APPEND | os.O_WRONLY)

    async def split(context: PipelineContext) -> AdapterResult:
        async def emissions() -> AsyncIterator[Emission]:
            for number in range(options.fan):
                yield Emission(payload={"path": str(number)})

        return AdapterResult(message=context.message, emitted=emissions())

    async def work(context: PipelineContext) -> AdapterResult:
        path = str(context.message["path"])
        await asyncio.sleep(options.pace)
        if path == options.poison:
            os.kill(os.getpid(), signal.SIGKILL)
        await context.stage.keep("worked", path.encode(), extension=".txt")
        emitted = [Emission(payload={"path": f"{path}.{number}"}) for number in range(2)]
        return AdapterResult(message=context.message, emitted=emitted)

    async def store(context: PipelineContext) -> AdapterResult:
        items = context.message["items"] if options.collects else [context.message]
        path = "\n".join(str(item["path"]) for item in items)  # type: ignore[union-attr, index, call-overload]
        os.write(record, f"{path}\n".encode())
        os.fsync(record)
        await context.stage.keep("stored", path.encode(), extension=".txt")
        return AdapterResult(message=context.message)

    acts: dict[str, Act] = {"proof_split": split, "proof_work": work, "proof_store": store}
    return PipelineAdapters(
        [
            Registration(
                type=name,
                description="a part of the proof",
                version="1",
                config=Nothing,
                build=partial(_built, act),
            )
            for name, act in acts.items()
        ]
        + [batch_collector.registration()]
    )


def dying(options: Options) -> Callable[[str], None]:
    """Kills the process at the given passing of the fault point."""
    passed = 0

    def at(point: str) -> None:
        nonlocal passed
        passed += point == options.die_at
        if point == options.die_at and passed == options.passing:
            os.kill(os.getpid(), signal.SIGKILL)

    return at


def with_fault_points(options: Options) -> None:
    """Let the composition root give the engine our hook."""
    original = composition._engine_ports

    def ports(adapters: Any, settings: Settings) -> EnginePorts:
        return replace(original(adapters, settings), at=dying(options))

    composition._engine_ports = ports


async def main(options: Options) -> None:
    """Start the run unless it has been started, and see it through."""
    with_fault_points(options)
    streaming.CHUNK, inbox.WINDOW = CHUNK, WINDOW
    settings = Settings(
        data_dir=Path(options.folder) / "data",
        database_url=options.database_url,
        config_validator_strict=False,
        lease_seconds=options.lease,
    )
    adapters = EmbeddedAdapters(settings=settings)
    adapters.model.override(providers.Singleton(Words))
    adapters.registry.override(providers.Object(registry(options)))
    async with composition.running(settings, adapters) as application:
        if options.serves:
            await serving(application, settings, options)
        else:
            await started(application, options)
            await ended(application)
            await application.lineage_repair.repair(TAG)


async def started(application: Application, options: Options) -> None:
    """Begin the run if no life before this one has."""
    try:
        await application.executions.get(TAG)
    except ExecutionNotFound:
        yaml = COLLECTING_YAML.replace("MOST", str(options.collects)) if options.collects else YAML
        config = (await application.configs.create(name=f"proof {os.getpid()}", yaml=yaml)).config
        await application.executions.start(config.id, tag=TAG)


async def ended(application: Application) -> None:
    """Return when the run has ended and nothing of it is outstanding."""
    while True:
        execution = await application.executions.get(TAG)
        if execution.status.is_terminal and not execution.counts.outstanding:
            return
        await asyncio.sleep(0.05)


async def serving(application: Application, settings: Settings, options: Options) -> None:
    """Answer over HTTP until killed; the run is started behind it."""
    with serve.listening(settings.host, 0) as listener:
        port = listener.getsockname()[1]
        server = serve._http_server(application, settings, port=port)
        answering = asyncio.create_task(server.serve(sockets=[listener]))
        print(f"Serving at http://{settings.host}:{port}", flush=True)  # noqa: T201 (the test waits for it)
        await started(application, options)
        await answering


if __name__ == "__main__":
    asyncio.run(main(msgspec.convert(json.loads(sys.argv[1]), Options)))
