"""The HTTP API over in-memory adapters, served by a real server on a free port."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

import aiohttp
import msgspec
import uvicorn
from litestar.di import Provide

from adapters.documents.format_reader import FormatDocumentReader
from adapters.http.app import HttpApi, create_app, equip
from adapters.http.dependencies import provided
from adapters.http.settings import HttpSettings
from adapters.memory.api_keys import MemoryApiKeys
from adapters.memory.archives import MemoryArchives
from adapters.memory.audit_log import MemoryAuditLog
from adapters.memory.broker_probe import MemoryBrokerProbe
from adapters.memory.chat_threads import ChatStore, MemoryChatMessages, MemoryChatThreads
from adapters.memory.corpus import Corpus
from adapters.memory.dead_letters import MemoryDeadLetters
from adapters.memory.documents import MemoryDocuments
from adapters.memory.embedding_slots import MemoryEmbeddingSlots
from adapters.memory.event_bus import InProcessEventBus
from adapters.memory.group_ledger import MemoryGroupLedger
from adapters.memory.idempotency_records import MemoryIdempotencyRecords
from adapters.memory.index_administration import MemoryIndexAdministration
from adapters.memory.inspection import MemoryInspection
from adapters.memory.leases import MemoryLeases
from adapters.memory.ledger import MemoryLedger
from adapters.memory.lineage import MemoryLineage
from adapters.memory.lineage_gap import MemoryLineageGap
from adapters.memory.lineage_statistics import MemoryLineageStatistics
from adapters.memory.message_history import MemoryMessageHistory
from adapters.memory.message_queue import InProcessMessageQueue
from adapters.memory.models import MemoryEmbeddingModel, MemoryTokenizer
from adapters.memory.pauses import MemoryPauses
from adapters.memory.segment_index import MemorySegmentIndex
from adapters.memory.storage import MemoryObjectStorage
from adapters.memory.templates import MemoryTemplates
from adapters.memory.unit_of_work import MemoryUnitOfWork
from adapters.memory.uploads import MemoryUploads
from adapters.memory.webhook_deliveries import MemoryWebhookDeliveries
from adapters.memory.webhook_queue import MemoryWebhookQueue
from adapters.memory.webhook_sender import MemoryWebhookSender
from adapters.memory.webhook_store import WebhookStore
from adapters.memory.webhook_subscriptions import MemoryWebhookSubscriptions
from adapters.pipeline.registry import PipelineAdapters, Registration
from adapters.system.clock import SystemClock
from adapters.system.id_source import SystemIdSource
from adapters.yaml.parser import YamlConfigParser
from application.access.audit import Audit
from application.access.doorkeeper import Doorkeeper
from application.access.keys import Keys
from application.access.repeats import Repeats
from application.adapter_configs import AdapterConfigs
from application.archives.archive_worker import ArchiveWorker
from application.archives.archiving import Archiving
from application.chat import Chat
from application.chat_conversations import Conversations
from application.chat_prompt_templates import PromptTemplates
from application.chat_prompts import Prompting
from application.chat_runs import AnswerRuns
from application.chat_threads import Threads, ThreadStore
from application.chat_titles import Titles
from application.config_check import ConfigCheck
from application.config_versions import ConfigVersions
from application.configs import Configs
from application.contents import Application
from application.dead_letters import DeadLetters
from application.diagnostics import Diagnostics
from application.documents import IndexedDocuments
from application.embedding_holdings import EmbeddingHoldings
from application.embedding_models import EmbeddingModels
from application.embeddings import Embeddings
from application.engine.engine import Engine
from application.engine.ports import EnginePorts
from application.engine.replay_registry import SeedingRegistry
from application.engine.replay_sources import ReplaySources
from application.engine.route_gates import RouteGates
from application.engine.route_pauses import RoutePauses
from application.executions import Executions
from application.health import SystemHealth
from application.lineage import Lineage
from application.lineage_figures import LineageFigures
from application.lineage_repair import LineageRepair
from application.lineage_traces import LineageTraces
from application.pauses import Pausing
from application.pipeline_adapters import Catalogue
from application.ports.clock import Clock
from application.ports.language_model import LanguageModel
from application.ports.pipeline_adapter import AdapterResult, PipelineAdapter, PipelineContext
from application.ports.readiness import ComponentHealth, Health
from application.ports.reranker import Reranker
from application.redrives import Redrives
from application.reembedding import Reembeddings
from application.replays import Replays
from application.route_figures import RouteFigures
from application.search import Search
from application.search_indexes import Indexes
from application.stored_objects import StoredObjects
from application.templates import TemplateCatalogue
from application.uploading import Uploading
from application.webhooks.attempting import Attempting
from application.webhooks.care import EndpointCare
from application.webhooks.deliveries import Deliveries
from application.webhooks.delivery_worker import DeliveryWorker
from application.webhooks.redeliveries import Redeliveries
from application.webhooks.subscriptions import Subscriptions
from application.workers import Workers
from domain.access.single_sign_on import SingleSignOn
from domain.document import Document, EmbeddedSegment, Segment, segment_id
from domain.errors import Invalid
from domain.templates.template import Template
from domain.webhooks.delivery import Answer
from tests.kept_messages import kept_in

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
class Storing:
    """Stores an object when the gate opens."""

    gate: asyncio.Event

    async def process(self, context: PipelineContext) -> AdapterResult:
        await self.gate.wait()
        await context.stage.keep("note", b"noted", extension=".txt")
        return AdapterResult(message=context.message)


def _registration(name: str, adapter: PipelineAdapter) -> Registration:
    return Registration(type=name, description=name, version="1", config=NoOptions, build=lambda _: adapter)


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
    lineage: MemoryLineage = field(default_factory=MemoryLineage)
    templates: MemoryTemplates = field(default_factory=MemoryTemplates)
    shipped_templates: Sequence[Template] = ()
    archives: MemoryArchives = field(default_factory=MemoryArchives)
    corpus: Corpus = field(default_factory=Corpus)
    model: MemoryEmbeddingModel = field(default_factory=MemoryEmbeddingModel)
    other_models: list[MemoryEmbeddingModel] = field(default_factory=list)
    reranker: Reranker | None = None
    further_adapters: list[Registration] = field(default_factory=list)
    language_model: LanguageModel | None = None
    conversations: ChatStore = field(default_factory=ChatStore)
    webhooks: WebhookStore = field(default_factory=WebhookStore)
    webhook_answer: Answer = field(default_factory=lambda: Answer(status=200))
    webhook_sender: MemoryWebhookSender = field(init=False)
    webhook_worker: DeliveryWorker = field(init=False)
    work: MemoryUnitOfWork = field(init=False)
    history: MemoryMessageHistory = field(init=False)
    pauses: MemoryPauses = field(init=False)
    leases: MemoryLeases = field(default_factory=MemoryLeases)
    clock: Clock = field(default_factory=SystemClock)
    api_keys: MemoryApiKeys = field(default_factory=MemoryApiKeys)
    audit_log: MemoryAuditLog = field(default_factory=MemoryAuditLog)
    idempotency_records: MemoryIdempotencyRecords = field(default_factory=MemoryIdempotencyRecords)
    sign_on: SingleSignOn = field(default_factory=SingleSignOn)
    requests_per_minute: int | None = None
    route_pauses: RoutePauses = field(init=False)

    def __post_init__(self) -> None:
        self.work = MemoryUnitOfWork(self.ledger)
        self.history = MemoryMessageHistory(self.lineage, kept_in(self.ledger))
        self.pauses = MemoryPauses(self.ledger)
        self.route_pauses = RoutePauses(pauses=self.pauses, gates=RouteGates())
        self.webhook_sender = MemoryWebhookSender(self._answer_webhook)
        self.webhook_worker = self._webhook_worker()

    async def _answer_webhook(self, _: object) -> Answer:
        return self.webhook_answer

    def _webhook_worker(self) -> DeliveryWorker:
        clock, ids, store = SystemClock(), SystemIdSource(), self.webhooks
        subscriptions = MemoryWebhookSubscriptions(store)
        return DeliveryWorker(
            queue=MemoryWebhookQueue(store),
            subscriptions=subscriptions,
            attempting=Attempting(sender=self.webhook_sender, clock=clock, ids=ids),
            care=EndpointCare(subscriptions=subscriptions, clock=clock, ids=ids),
            events=self.events,
        )

    def _uploading(self) -> Uploading:
        uploads = MemoryUploads(self.webhooks)
        return Uploading(storage=self.storage, uploads=uploads, clock=SystemClock(), ids=SystemIdSource())

    def _webhook_deliveries(self) -> Deliveries:
        return Deliveries(
            deliveries=MemoryWebhookDeliveries(self.webhooks),
            subscriptions=MemoryWebhookSubscriptions(self.webhooks),
            clock=SystemClock(),
            ids=SystemIdSource(),
            changed=self.webhook_worker.wake,
        )

    def _webhook_subscriptions(self) -> Subscriptions:
        return Subscriptions(
            subscriptions=MemoryWebhookSubscriptions(self.webhooks),
            sender=self.webhook_sender,
            clock=SystemClock(),
            ids=SystemIdSource(),
            changed=self.webhook_worker.wake,
        )

    def _chatting(self, search: Search) -> dict[str, Any]:
        clock, ids = SystemClock(), SystemIdSource()
        chat = Chat(
            search=search,
            storage=self.storage,
            reader=FormatDocumentReader(),
            prompting=Prompting(
                tokenizer=MemoryTokenizer(),
                templates=PromptTemplates(templates=self.templates, shipped=self.shipped_templates),
            ),
            language_model=self.language_model,
        )
        runs = AnswerRuns(chat=chat, clock=clock, ids=ids)
        stores = [
            ThreadStore(threads=MemoryChatThreads(store), messages=MemoryChatMessages(store))
            for store in (self.conversations, ChatStore())
        ]
        threads = Threads(persistent=stores[0], transient=stores[1], clock=clock, ids=ids)
        titles = Titles(threads=threads, language_model=self.language_model)
        return {
            "chat": chat,
            "chat_runs": runs,
            "chat_threads": threads,
            "conversations": Conversations(threads=threads, runs=runs, titles=titles),
        }

    def _doorkeeper(self) -> Doorkeeper:
        return Doorkeeper(
            keys=self.api_keys,
            clock=self.clock,
            sign_on=self.sign_on,
            requests_per_minute=self.requests_per_minute,
        )

    def engine(self) -> Engine:
        """An engine, not yet open."""
        pauses = self.route_pauses
        return Engine(ports=self.ports(), gates=pauses.gates, prepare=pauses.apply)

    def registry(self) -> PipelineAdapters:
        acting: dict[str, PipelineAdapter] = {
            "echo": Echo(),
            "reject": Rejecting(),
            "wait": Waiting(self.gate),
            "store": Storing(self.gate),
        }
        own = [_registration(name, adapter) for name, adapter in acting.items()]
        return PipelineAdapters([*own, *self.further_adapters])

    def ports(self) -> EnginePorts:
        return EnginePorts(
            owner=uuid4(),
            ledger=self.ledger,
            executions=self.ledger,
            groups=MemoryGroupLedger(self.ledger),
            queue=InProcessMessageQueue(),
            storage=self.storage,
            lineage=self.lineage,
            events=self.events,
            registry=SeedingRegistry(
                registry=self.registry(), sources=ReplaySources(storage=self.storage, history=self.history)
            ),
            clock=SystemClock(),
            ids=SystemIdSource(),
        )

    async def index(self, document_id: str, text: str) -> None:
        """Put a document of one segment into the index."""
        document = Document(
            document_id=document_id,
            origin="encyclopedia",
            title=document_id.title(),
            url=f"https://example.org/{document_id}",
            fingerprint=text,
            version=1,
        )
        opened = await MemoryDocuments(self.corpus).begin(document, expected=1)
        for model in (self.model, *self.other_models):
            (vector,) = await model.embed([text])
            segment = EmbeddedSegment(
                id=segment_id(document_id, text, 0),
                document_id=document_id,
                version=opened.version,
                segment=Segment(ordinal=0, text=text, start=0, end=len(text), heading_path=("Nature",)),
                model_name=model.model_name,
                vector=vector,
            )
            await MemorySegmentIndex(self.corpus).index([segment])

    def bare_application(self) -> Application:
        """Use-cases that nothing has been opened for: enough to describe the API."""
        return self.application(self.engine())

    def application(self, engine: Engine) -> Application:
        ports = engine.ports
        work = self.work
        models = EmbeddingModels(own=self.model, others=self.other_models)
        search = Search(
            index=MemorySegmentIndex(self.corpus),
            models=models,
            reranker=self.reranker,
        )
        configs = Configs(
            work=work, parser=YamlConfigParser(), registry=ports.registry, clock=ports.clock, ids=ports.ids
        )
        executions = Executions(configs=configs, work=work, engine=engine, limit=3)
        dead_letters = DeadLetters(
            letters=MemoryDeadLetters(self.ledger), executions=executions, engine=engine, limit=3
        )
        return Application(
            configs=configs,
            templates=TemplateCatalogue(
                templates=self.templates,
                parser=YamlConfigParser(),
                configs=configs,
                shipped=self.shipped_templates,
            ),
            config_versions=ConfigVersions(
                work=work,
                check=ConfigCheck(parser=YamlConfigParser(), registry=ports.registry),
                clock=ports.clock,
            ),
            executions=executions,
            pausing=(
                pausing := Pausing(
                    executions=executions,
                    pauses=self.pauses,
                    route_pauses=self.route_pauses,
                    check=ConfigCheck(parser=YamlConfigParser(), registry=ports.registry),
                    work=work,
                )
            ),
            route_figures=RouteFigures(
                executions=executions, pausing=pausing, statistics=MemoryLineageStatistics(self.lineage)
            ),
            dead_letters=dead_letters,
            redrives=Redrives(dead_letters=dead_letters),
            replays=Replays(executions=executions, history=self.history),
            stored_objects=StoredObjects(storage=self.storage, uploading=self._uploading()),
            archiving=Archiving(
                archives=self.archives,
                storage=self.storage,
                executions=executions,
                clock=ports.clock,
                ids=ports.ids,
                worker=ArchiveWorker(archives=self.archives, storage=self.storage, clock=ports.clock),
            ),
            indexed_documents=IndexedDocuments(documents=MemoryDocuments(self.corpus), storage=self.storage),
            lineage=Lineage(reader=self.lineage, statistics=MemoryLineageStatistics(self.lineage), work=work),
            lineage_traces=LineageTraces(reader=self.lineage),
            lineage_figures=LineageFigures(statistics=MemoryLineageStatistics(self.lineage), work=work),
            lineage_repair=LineageRepair(
                unrecorded=MemoryLineageGap(self.ledger, self.lineage),
                sink=self.lineage,
                work=work,
                registry=ports.registry,
                storage=self.storage,
            ),
            search=search,
            embeddings=Embeddings(models=models, tokenizer=MemoryTokenizer()),
            embedding_holdings=(
                holdings := EmbeddingHoldings(
                    slots=MemoryEmbeddingSlots(self.corpus),
                    models=models,
                    documents=MemoryDocuments(self.corpus),
                    executions=executions,
                )
            ),
            reembeddings=Reembeddings(executions=executions, slots=holdings.slots, models=models),
            indexes=Indexes(administration=MemoryIndexAdministration(self.corpus)),
            **self._chatting(search),
            catalogue=(catalogue := Catalogue(adapters=self.registry())),
            adapter_configs=AdapterConfigs(
                catalogue=catalogue,
                check=ConfigCheck(parser=YamlConfigParser(), registry=ports.registry),
            ),
            webhook_subscriptions=self._webhook_subscriptions(),
            webhook_deliveries=(webhook_deliveries := self._webhook_deliveries()),
            webhook_redeliveries=Redeliveries(deliveries=webhook_deliveries),
            workers=Workers(leases=self.leases, clock=ports.clock, owner=ports.owner),
            diagnostics=Diagnostics(
                queue=ports.queue,
                storage=self.storage,
                inspection=MemoryInspection(self.ledger, self.corpus, self.webhooks),
                ids=ports.ids,
                gates=engine.gates,
                brokers=MemoryBrokerProbe({"broker.example.org": "right"}),
            ),
            keys=Keys(
                keys=self.api_keys,
                clock=self.clock,
                ids=ports.ids,
                environment="test",
                changed=(doorkeeper := self._doorkeeper()).forget,
            ),
            doorkeeper=doorkeeper,
            audit=Audit(log=self.audit_log, clock=self.clock),
            repeats=Repeats(records=self.idempotency_records, clock=self.clock),
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

    async def ended(self, name: str) -> None:
        """Wait until the execution has ended."""
        for _ in range(500):
            _, execution = await self.ask("GET", f"/api/v1/executions/{name}")
            if execution["status"] != "running":
                return
            await asyncio.sleep(0.01)
        raise AssertionError(f"execution {name} does not end")

    async def heard_by(self, count: int) -> None:
        """Wait until so many streams listen to events."""
        async with asyncio.timeout(5):
            while self.listeners() < count:  # noqa: ASYNC110  # a port says it no other way
                await asyncio.sleep(0.01)

    def listeners(self) -> int:
        """How many streams listen to events now."""
        return len(self.world.events._to_all)


@dataclass
class Told:
    """One server-sent event."""

    event: str
    data: Any
    id: str | None


def events_of(text: str) -> list[Told]:
    """The events of a stream, comments and retry lines left out."""
    events = []
    for block in text.split("\n\n"):
        fields = dict(line.split(": ", 1) for line in block.splitlines() if ": " in line and line[0] != ":")
        if "event" in fields:
            events.append(Told(fields["event"], msgspec.json.decode(fields["data"]), fields.get("id")))
    return events


async def raw(api: Api, path: str, **headers: str) -> tuple[aiohttp.ClientResponse, bytes]:
    """An answer as it came, not decoded."""
    async with (
        aiohttp.ClientSession(auto_decompress=False) as session,
        session.get(api.url + path, headers=headers) as answer,
    ):
        return answer, await answer.read()


@asynccontextmanager
async def serving(settings: HttpSettings | None = None, world: World | None = None) -> AsyncIterator[Api]:
    """A server for as long as the block lasts."""
    world = world or World()
    async with world.engine() as engine:
        application = world.application(engine)
        with _app(application, settings or HttpSettings(heartbeat_seconds=0.05)) as app:
            async with (
                application.redrives,
                application.chat_runs,
                application.archiving.worker,
                world.webhook_worker,
                application.webhook_redeliveries,
                _listening(app) as url,
                aiohttp.ClientSession() as session,
            ):
                yield Api(world, url, session)


_idle: dict[HttpSettings, list[HttpApi]] = {}


@contextmanager
def _app(application: Application, settings: HttpSettings) -> Iterator[HttpApi]:
    """The HTTP API over these use-cases, by an app that served a test before, if there is one.

    Reading the signatures of all handlers is most of what a test over HTTP would otherwise cost.
    """
    idle = _idle.setdefault(settings, [])
    app = idle.pop() if idle else create_app(application, settings=settings)
    for name, given in provided(application, settings).items():
        known = app.dependencies[name]
        assert isinstance(known, Provide)
        known.dependency = given.dependency
    equip(app, application, settings)
    yield app
    # Not after an error: an app that a test has broken serves no other.
    idle.append(app)


class _PromptServer(uvicorn.Server):
    """Uvicorn that stops when it is told to, not when it next looks."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.stopping = asyncio.Event()

    async def main_loop(self) -> None:
        await self.stopping.wait()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Without the 100 ms that uvicorn allows its clients, once they have all gone."""
        for _ in range(10):
            await asyncio.sleep(0)
        if self.server_state.connections or self.server_state.tasks:
            await super().shutdown(sockets)
            return
        for server in self.servers:
            server.close()
        for listener in sockets or []:
            listener.close()
        await self.lifespan.shutdown()


@asynccontextmanager
async def _listening(app: Any) -> AsyncIterator[str]:
    # With its protocol named, asyncio turns Nagle's algorithm off; without, each answer takes 40 ms more.
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP) as listener:
        listener.bind(("127.0.0.1", 0))
        config = uvicorn.Config(app, log_level="warning", timeout_graceful_shutdown=2, proxy_headers=False)
        server = _PromptServer(config)
        task = asyncio.create_task(server.serve(sockets=[listener]))
        while not server.started:  # noqa: ASYNC110  # uvicorn tells it no other way
            await asyncio.sleep(0.005)
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            server.stopping.set()
            await task
