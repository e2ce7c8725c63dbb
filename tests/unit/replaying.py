"""The use-cases of replays over an open engine, and a pipeline that keeps what it makes."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any
from uuid import UUID

from adapters.memory.dead_letters import MemoryDeadLetters
from adapters.memory.event_bus import InProcessEventBus
from adapters.memory.group_ledger import MemoryGroupLedger
from adapters.memory.ledger import MemoryLedger
from adapters.memory.lineage import MemoryLineage
from adapters.memory.message_history import MemoryMessageHistory
from adapters.memory.message_queue import InProcessMessageQueue
from adapters.memory.storage import MemoryObjectStorage
from adapters.memory.unit_of_work import MemoryUnitOfWork
from adapters.postgres.database import Database
from adapters.postgres.dead_letters import PostgresDeadLetters
from adapters.postgres.execution_ledger import PostgresExecutionLedger
from adapters.postgres.group_ledger import PostgresGroupLedger
from adapters.postgres.ledger import PostgresLedger
from adapters.postgres.lineage_reader import PostgresLineageReader
from adapters.postgres.lineage_sink import PostgresLineageSink
from adapters.postgres.message_history import PostgresMessageHistory
from adapters.postgres.unit_of_work import PostgresUnitOfWork
from adapters.system.clock import SystemClock
from adapters.system.id_source import SystemIdSource
from adapters.yaml.parser import YamlConfigParser
from application.configs import Configs
from application.engine.engine import Engine
from application.engine.ports import EnginePorts, EngineSettings
from application.engine.replay_registry import SeedingRegistry
from application.engine.replay_sources import ReplaySources
from application.executions import Executions
from application.ports.dead_letters import DeadLetters
from application.ports.execution_ledger import ExecutionLedger
from application.ports.group_ledger import GroupLedger
from application.ports.ledger import Ledger
from application.ports.lineage import LineageReader, LineageSink
from application.ports.message_history import MessageHistory
from application.ports.pipeline_adapter import (
    AdapterResult,
    BuiltAdapter,
    CollectingAdapter,
    Emission,
    PipelineContext,
)
from application.ports.unit_of_work import UnitOfWork
from application.replays import Replays
from domain.execution import Execution
from domain.json import JsonObject
from domain.storage import StoredObject
from tests.kept_messages import kept_in
from tests.unit.engines import Act, Acts

YAML = """
version: "1.0"
routes:
  make:
    inbound: {queue: make}
    adapters: [{type: make}]
    outbound: keep
  keep:
    inbound: {queue: keep, concurrency: 20}
    adapters: [{type: keep}]
    outbound: use
  use:
    inbound: {queue: use, concurrency: 20}
    adapters: [{type: load}, {type: cut}, {type: part}]
    outbound: end
  end:
    inbound: {queue: end, concurrency: 20}
    adapters: [{type: end}]
init_message: {route: make, payload: {n: 3}}
"""
"""Three objects of stage ``kept``, each loaded and cut (stage ``cut``), and two parts of each sent to the end."""


class HangingStorage(MemoryObjectStorage):
    """Objects in memory; a list can be made to hang once it has told of so many."""

    def __init__(self) -> None:
        super().__init__()
        self.hangs_after: int | None = None
        self.is_hanging = asyncio.Event()

    async def list(self, prefix: str = "", *, after: str = "") -> AsyncIterator[StoredObject]:
        told = 0
        async for stored in super().list(prefix, after=after):
            if told == self.hangs_after:
                self.is_hanging.set()
                await asyncio.Event().wait()
            told += 1
            yield stored


@dataclass(frozen=True, slots=True, kw_only=True)
class Stores:
    """What outlives an engine: it can be stopped, and another opened over the same."""

    ledger: Ledger
    executions: ExecutionLedger
    groups: GroupLedger
    letters: DeadLetters
    work: UnitOfWork
    lineage: LineageSink
    reader: LineageReader
    history: MessageHistory
    storage: HangingStorage = field(default_factory=HangingStorage)


def memory_stores() -> Stores:
    """Everything in dictionaries."""
    ledger, lineage = MemoryLedger(), MemoryLineage()
    return Stores(
        ledger=ledger,
        executions=ledger,
        groups=MemoryGroupLedger(ledger),
        letters=MemoryDeadLetters(ledger),
        work=MemoryUnitOfWork(ledger),
        lineage=lineage,
        reader=lineage,
        history=MemoryMessageHistory(lineage, kept_in(ledger)),
    )


async def postgres_stores(stack: AsyncExitStack, database: Database) -> Stores:
    """The same in PostgreSQL, but for the objects."""
    return Stores(
        ledger=PostgresLedger(database),
        executions=PostgresExecutionLedger(database),
        groups=PostgresGroupLedger(database),
        letters=PostgresDeadLetters(database),
        work=PostgresUnitOfWork(database),
        lineage=await stack.enter_async_context(PostgresLineageSink(database, flush_seconds=0.01)),
        reader=PostgresLineageReader(database),
        history=PostgresMessageHistory(database),
    )


@dataclass(slots=True, kw_only=True)
class Shelf:
    """The use-cases over an open engine, and what came to the end of the pipeline."""

    stores: Stores
    engine: Engine
    executions: Executions
    replays: Replays
    acts: dict[str, Act]
    ended_with: list[tuple[JsonObject, JsonObject]] = field(default_factory=list)
    loads: list[str] = field(default_factory=list)

    async def run(self, yaml: str = YAML, *, n: int = 3, tag: str | None = None) -> Execution:
        """A run that has come to its end."""
        checked = await self.executions.configs.create(name="shelf", yaml=yaml)
        started = await self.executions.start(checked.config.id, init_payload_overrides={"n": n}, tag=tag)
        return await self.over(started.id)

    async def over(self, execution_id: UUID, *, within: float = 30.0) -> Execution:
        """The execution once it has ended and everything behind it is settled."""
        async with asyncio.timeout(within):
            while True:
                execution = await self.executions.get(str(execution_id))
                if execution.status.is_terminal and not execution.counts.outstanding:
                    await self.engine.ended(execution_id)
                    await self.stores.lineage.flush()
                    return execution
                await asyncio.sleep(0.005)

    def texts(self) -> Sequence[str]:
        """What came to the end since the last time, sorted."""
        found = sorted(str(message["text"]) for message, _ in self.ended_with)
        self.ended_with.clear()
        return found

    async def keys(self, execution_id: UUID, stage: str) -> list[str]:
        """The keys of a stage's objects."""
        every = [one.key async for one in self.stores.storage.list(f"executions/{execution_id}/")]
        return [key for key in every if f"/{stage}/" in key]


@asynccontextmanager
async def shelf(
    stores: Stores,
    *,
    limit: int = 10,
    versions: str = "1",
    further: dict[str, Act] | None = None,
    collectors: Mapping[str, CollectingAdapter] | None = None,
) -> AsyncIterator[Shelf]:
    """An open engine over stores."""
    acts: dict[str, Act] = {}
    sources = ReplaySources(storage=stores.storage, history=stores.history)
    ids = SystemIdSource()
    ports = EnginePorts(
        **_given(stores),
        owner=ids.new_id(),
        queue=InProcessMessageQueue(),
        events=InProcessEventBus(),
        registry=SeedingRegistry(registry=VersionedActs(acts, versions, collectors or {}), sources=sources),
        clock=SystemClock(),
        ids=ids,
        settings=EngineSettings(group_commit_linger=0.001),
    )
    async with Engine(ports=ports) as engine:
        configs = Configs(
            work=stores.work, parser=YamlConfigParser(), registry=ports.registry, clock=ports.clock, ids=ids
        )
        executions = Executions(configs=configs, work=stores.work, engine=engine, limit=limit)
        replays = Replays(
            executions=executions, history=stores.history, needing_content=frozenset({"end", "part"})
        )
        given = Shelf(stores=stores, engine=engine, executions=executions, replays=replays, acts=acts)
        acts |= _acts(given) | (further or {})
        yield given


def _given(stores: Stores) -> Any:
    return {
        "ledger": stores.ledger,
        "executions": stores.executions,
        "groups": stores.groups,
        "storage": stores.storage,
        "lineage": stores.lineage,
    }


@dataclass(frozen=True, slots=True)
class VersionedActs(Acts):
    """A registry of functions, all of one version."""

    number: str = "1"
    collectors: Mapping[str, CollectingAdapter] = field(default_factory=dict)

    def collects(self, type: str) -> bool:
        return type in self.collectors

    def build(self, type: str, config: JsonObject) -> BuiltAdapter:
        if type in self.collectors:
            return self.collectors[type]
        return super(VersionedActs, self).build(type, config)

    def version(self, type: str) -> str:
        return f"{type} {self.number}"


def _acts(on: Shelf) -> dict[str, Act]:
    storage = on.stores.storage

    async def make(context: PipelineContext) -> AdapterResult:
        count = int(str(context.message["n"]))
        made = [Emission(payload={"n": n}, metadata={"title": f"T{n}"}) for n in range(count)]
        return AdapterResult(message=context.message, emitted=made)

    async def keep(context: PipelineContext) -> AdapterResult:
        content = json.dumps({"text": f"item {context.message['n']}"}).encode()
        about = {"url": f"https://example.org/{context.message['n']}", "fingerprint": "f"}
        key = await context.stage.keep("kept", content, extension=".json", metadata=about)
        return AdapterResult(message={"object_key": key}, stage="kept")

    async def load(context: PipelineContext) -> AdapterResult:
        key = str(context.message["object_key"])
        on.loads.append(key)
        return AdapterResult(message={**context.message, **json.loads(await storage.read(key))})

    async def cut(context: PipelineContext) -> AdapterResult:
        assert "parts" not in context.message, "what was cut is not cut again"
        text = context.message["text"]
        content: JsonObject = {"parts": [f"{text} a", f"{text} b"]}
        await context.stage.keep("cut", json.dumps(content).encode(), extension=".json")
        return AdapterResult(message={**context.message, **content}, stage="cut")

    async def part(context: PipelineContext) -> AdapterResult:
        parts = context.message["parts"]
        assert isinstance(parts, list)
        emitted = [Emission(payload={"text": text}) for text in parts]
        return AdapterResult(message=context.message, emitted=emitted)

    async def end(context: PipelineContext) -> AdapterResult:
        on.ended_with.append((context.message, context.metadata))
        return AdapterResult(message=context.message)

    return {"make": make, "keep": keep, "load": load, "cut": cut, "part": part, "end": end}


def as_if_gone(stores: Stores) -> Stores:
    """The same stores whose ledger has lost every message."""
    return replace(stores, history=MemoryMessageHistory(stores.reader, lambda _: None))
