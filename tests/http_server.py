"""The HTTP API over in-memory adapters, served by a real server on a free port."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID, uuid4

import aiohttp
import msgspec
import uvicorn

from adapters.http.app import create_app
from adapters.http.settings import HttpSettings
from adapters.memory.configs import MemoryPipelineConfigs, Versions
from adapters.memory.event_bus import InProcessEventBus
from adapters.memory.ledger import MemoryLedger
from adapters.memory.message_queue import InProcessMessageQueue
from adapters.memory.storage import MemoryObjectStorage
from adapters.pipeline.registry import PipelineAdapters, Registration
from adapters.system.clock import SystemClock
from adapters.system.id_source import SystemIdSource
from adapters.yaml.parser import YamlConfigParser
from application.configs import Configs
from application.contents import Application
from application.engine.engine import Engine
from application.engine.ports import EnginePorts
from application.executions import Executions
from application.health import SystemHealth
from application.ports.pipeline_adapter import AdapterResult, PipelineContext
from application.ports.readiness import ComponentHealth, Health
from application.ports.unit_of_work import Repositories
from domain.errors import Invalid
from domain.execution import Execution, ExecutionNotFound, ExecutionStatus
from domain.lineage import LineageEntry

PIPELINE = """\
version: "1.0"
routes:
  first:
    inbound: {queue: one}
    adapters: [{type: %s}]
    outbound: [{queue: two}]
  second:
    inbound: {queue: two}
    adapters: [{type: echo}]
init_message: {route: first, payload: {n: 1}}
"""


class NoOptions(msgspec.Struct, forbid_unknown_fields=True):
    """A config without fields."""


class Echo:
    """Passes the message on."""

    async def process(self, context: PipelineContext) -> AdapterResult:
        return AdapterResult(message=context.message)


class Rejecting:
    """Cannot take any message."""

    async def process(self, context: PipelineContext) -> AdapterResult:
        raise Invalid("this message is not to be had")


@dataclass
class Waiting:
    """Passes the message on when the gate opens."""

    gate: asyncio.Event

    async def process(self, context: PipelineContext) -> AdapterResult:
        await self.gate.wait()
        return AdapterResult(message=context.message)


@dataclass
class Work:
    """Reads configs and executions out of dictionaries."""

    ledger: MemoryLedger
    configs: dict[UUID, Versions] = field(default_factory=dict)

    @asynccontextmanager
    async def begin(self) -> AsyncIterator[Repositories]:
        copy = dict(self.configs)
        yield Repositories(configs=MemoryPipelineConfigs(copy), executions=Runs(self.ledger))
        self.configs = copy

    async def is_reachable(self) -> bool:
        return True


@dataclass
class Runs:
    """The ledger's executions as a repository."""

    ledger: MemoryLedger

    async def get(self, execution_id: UUID) -> Execution:
        found = self.ledger.executions.get(execution_id)
        if found is None:
            raise ExecutionNotFound
        return found

    async def by_tag(self, tag: str) -> Execution:
        for execution in self.ledger.executions.values():
            if execution.tag == tag:
                return execution
        raise ExecutionNotFound

    async def list(
        self,
        *,
        status: ExecutionStatus | None = None,
        config_id: UUID | None = None,
        parent_execution_id: UUID | None = None,
        limit: int,
        offset: int = 0,
    ) -> tuple[Sequence[Execution], int]:
        wanted = [
            one
            for one in reversed(self.ledger.executions.values())
            if status in {None, one.status} and config_id in {None, one.config_id}
        ]
        return wanted[offset : offset + limit], len(wanted)


@dataclass
class Records:
    """Keeps lineage entries in a list."""

    entries: list[LineageEntry] = field(default_factory=list)
    dropped: int = 0

    def record(self, entry: LineageEntry) -> None:
        self.entries.append(entry)

    async def flush(self) -> None:
        return


@dataclass
class Component:
    """Answers for itself what it is told to answer."""

    component: str = "database"
    health: Health = Health.HEALTHY

    async def check(self) -> ComponentHealth:
        return ComponentHealth(name=self.component, health=self.health, details={"connections": 1})


@dataclass
class World:
    """Everything behind the API that a test may want to touch."""

    gate: asyncio.Event = field(default_factory=asyncio.Event)
    ledger: MemoryLedger = field(default_factory=MemoryLedger)
    storage: MemoryObjectStorage = field(default_factory=MemoryObjectStorage)
    component: Component = field(default_factory=Component)
    events: InProcessEventBus = field(default_factory=InProcessEventBus)

    def registry(self) -> PipelineAdapters:
        return PipelineAdapters(
            [
                Registration(type=name, description=name, version="1", config=NoOptions, build=build)
                for name, build in {
                    "echo": lambda _: Echo(),
                    "reject": lambda _: Rejecting(),
                    "wait": lambda _: Waiting(self.gate),
                }.items()
            ]
        )

    def ports(self) -> EnginePorts:
        return EnginePorts(
            owner=uuid4(),
            ledger=self.ledger,
            executions=self.ledger,
            queue=InProcessMessageQueue(),
            storage=self.storage,
            lineage=Records(),
            events=self.events,
            registry=self.registry(),
            clock=SystemClock(),
            ids=SystemIdSource(),
        )

    def application(self, engine: Engine) -> Application:
        ports = engine.ports
        work = Work(self.ledger)
        configs = Configs(
            work=work, parser=YamlConfigParser(), registry=ports.registry, clock=ports.clock, ids=ports.ids
        )
        return Application(
            configs=configs,
            executions=Executions(configs=configs, work=work, engine=engine, limit=3),
            stored_objects=None,
            lineage=None,
            search=None,
            chat=None,
            health=SystemHealth(components=[self.component], clock=ports.clock, started_at=ports.clock.now()),
        )


@dataclass
class Api:
    """A client of the running server, and the world behind it."""

    world: World
    url: str
    session: aiohttp.ClientSession

    async def ask(self, method: str, path: str, **options: Any) -> tuple[int, Any]:
        """The status and the JSON of the answer (None without a body)."""
        async with self.session.request(method, self.url + path, **options) as response:
            body = await response.read()
            return response.status, msgspec.json.decode(body) if body else None

    async def config(self, adapter: str = "echo") -> str:
        """Store a runnable config; returns its id."""
        body = {"name": "a pipeline", "config_yaml": PIPELINE % adapter}
        status, config = await self.ask("POST", "/api/v1/configs", json=body)
        assert (status, config["is_runnable"]) == (201, True), config
        return str(config["id"])

    async def execution(self, adapter: str = "echo", **parameters: str) -> str:
        """Run a config; returns the execution's id."""
        path = f"/api/v1/configs/{await self.config(adapter)}/run"
        status, execution = await self.ask("POST", path, params=parameters)
        assert status == 201, execution
        return str(execution["id"])


@asynccontextmanager
async def serving(settings: HttpSettings | None = None, world: World | None = None) -> AsyncIterator[Api]:
    """A server for as long as the block lasts."""
    world = world or World()
    async with Engine(ports=world.ports()) as engine:
        app = create_app(world.application(engine), settings=settings or HttpSettings(heartbeat_seconds=0.05))
        async with _listening(app) as url, aiohttp.ClientSession() as session:
            yield Api(world, url, session)


@asynccontextmanager
async def _listening(app: Any) -> AsyncIterator[str]:
    # With its protocol named, asyncio turns Nagle's algorithm off; without, each answer takes 40 ms more.
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP) as listener:
        listener.bind(("127.0.0.1", 0))
        config = uvicorn.Config(app, log_level="warning", timeout_graceful_shutdown=2)
        server = uvicorn.Server(config)
        task = asyncio.create_task(server.serve(sockets=[listener]))
        while not server.started:  # noqa: ASYNC110  # uvicorn tells it no other way
            await asyncio.sleep(0.005)
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            server.should_exit = True
            await task
