"""Opens the adapters in order, puts the use-cases on top, and closes everything in reverse."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager

from adapters.pipeline.stored_inputs import NEEDING_CONTENT
from application.configs import Configs
from application.contents import Application
from application.dead_letters import DeadLetters
from application.diagnostics import Diagnostics
from application.embeddings import Embeddings
from application.engine.draining import drain, take_no_more
from application.engine.engine import Engine
from application.engine.loop_watch import LoopWatch
from application.engine.ports import EnginePorts, EngineSettings
from application.engine.replay_registry import SeedingRegistry
from application.engine.replay_sources import ReplaySources
from application.engine.route_gates import RouteGates
from application.engine.route_pauses import RoutePauses
from application.engine.standing_down import StandingDown
from application.executions import Executions
from application.health import OrchestratorReadiness, SystemHealth
from application.lineage import Lineage
from application.lineage_figures import LineageFigures
from application.lineage_repair import LineageRepair
from application.lineage_traces import LineageTraces
from application.pipeline_adapters import Catalogue, CatalogueReadiness
from application.ports.readiness import Readiness
from application.redrives import Redrives
from application.reembedding import Reembeddings
from application.replays import Replays
from application.search import Search
from application.search_indexes import Indexes
from application.shipped_configs import ShippedConfigs
from application.stored_objects import StoredObjects
from application.upkeep import Upkeep
from application.workers import Workers
from domain.circuit_breaker import BreakerRules
from entrypoints.composition.access import AccessParts, make_access
from entrypoints.composition.adapters import HEALTHY, OPENED, Adapters, EmbeddedAdapters
from entrypoints.composition.cataloguing import make_catalogued
from entrypoints.composition.chatting import make_chatting
from entrypoints.composition.chores import make_chores, make_uploading
from entrypoints.composition.content import make_kept
from entrypoints.composition.embedding_holdings import make_holdings
from entrypoints.composition.pausing import make_routed
from entrypoints.composition.recovering import make_recovery
from entrypoints.composition.shipping import import_shipped
from entrypoints.composition.webhooks import Webhooks, make_webhooks
from entrypoints.garbage import rarely_collected
from entrypoints.settings import Settings


@asynccontextmanager
async def running(
    settings: Settings,
    adapters: Adapters | None = None,
    *,
    hurried: asyncio.Event | None = None,
    is_server: bool = True,
) -> AsyncIterator[Application]:
    """The use-cases over opened adapters, with unfinished executions resumed; embedded unless adapters are given.

    On a shared queue, leaving it takes no more messages from the first moment on, and lets what is at work come to
    its end, for as long as the settings say or until ``hurried`` is set. Who is no server forgets nothing that is old.
    Raises what the adapters raise on opening, each an error of ours.
    """
    adapters = adapters or EmbeddedAdapters(settings=settings)
    async with AsyncExitStack() as stack:
        await open_slots(stack, adapters, OPENED)
        await import_shipped(_shipped_configs(adapters), strict=settings.config_validator_strict)
        loop = await stack.enter_async_context(LoopWatch(clock=adapters.clock()))
        route_pauses = RoutePauses(pauses=adapters.pauses(), gates=RouteGates())
        engine = await stack.enter_async_context(_engine(adapters, settings, route_pauses))
        await stack.enter_async_context(
            Upkeep(events=adapters.events(), indexes=Indexes(administration=adapters.index_administration()))
        )
        recovery = make_recovery(adapters, settings, engine, route_pauses)
        await stack.enter_async_context(recovery)
        if engine.shares:
            stack.push_async_callback(drain, engine, settings.drain_seconds, hurried)
        if (sole_use := adapters.sole_use()) is not None:
            await stack.enter_async_context(
                StandingDown(lost=sole_use.lost, recovery=recovery, route_pauses=route_pauses)
            )
        webhooks, access = _webhooks(adapters, settings), make_access(adapters, settings)
        orchestrator = OrchestratorReadiness(engine=engine, loop=loop, route_pauses=route_pauses)
        application = _application(adapters, engine, settings, route_pauses, orchestrator, webhooks, access)
        await stack.enter_async_context(application.redrives)
        await stack.enter_async_context(application.chat_runs)
        await stack.enter_async_context(application.archiving.worker)
        await stack.enter_async_context(webhooks.worker)
        await stack.enter_async_context(webhooks.redeliveries)
        uploading = application.stored_objects.uploading
        await stack.enter_async_context(make_chores(adapters, settings, uploading, is_server=is_server))
        await stack.enter_async_context(access.care)
        stack.enter_context(rarely_collected())
        if engine.shares:
            # The first thing to happen at the end: what is beside the engine may take its time to stop.
            stack.callback(take_no_more, engine)
        yield application


async def open_slots(stack: AsyncExitStack, adapters: Adapters, slots: Sequence[str]) -> None:
    """Open those of the slots that are async context managers, in order; the stack closes them in reverse."""
    for slot in slots:
        adapter = getattr(adapters, slot)()
        if isinstance(adapter, AbstractAsyncContextManager):
            await stack.enter_async_context(adapter)


def _engine(adapters: Adapters, settings: Settings, route_pauses: RoutePauses) -> Engine:
    return Engine(
        ports=_engine_ports(adapters, settings),
        gates=route_pauses.gates,
        prepare=route_pauses.apply,
        processes=settings.routes,
    )


def _engine_ports(adapters: Adapters, settings: Settings) -> EnginePorts:
    sources = ReplaySources(storage=adapters.storage(), history=adapters.message_history())
    return EnginePorts(
        owner=adapters.ids().new_id(),
        ledger=adapters.ledger(),
        executions=adapters.executions(),
        groups=adapters.groups(),
        queue=adapters.queue(),
        storage=adapters.storage(),
        lineage=adapters.lineage(),
        events=adapters.events(),
        registry=SeedingRegistry(registry=adapters.registry(), sources=sources),
        clock=adapters.clock(),
        ids=adapters.ids(),
        settings=EngineSettings(
            group_commit_linger=settings.group_commit_ms / 1000,
            lease=settings.lease_seconds,
            max_dead_letters=settings.max_dead_letters,
            breaker=BreakerRules(open_seconds=settings.breaker_open_seconds),
        ),
    )


def _shipped_configs(adapters: Adapters) -> ShippedConfigs:
    return ShippedConfigs(
        work=adapters.work(),
        parser=adapters.parser(),
        registry=adapters.registry(),
        clock=adapters.clock(),
    )


def _application(
    adapters: Adapters,
    engine: Engine,
    settings: Settings,
    route_pauses: RoutePauses,
    orchestrator: OrchestratorReadiness,
    webhooks: Webhooks,
    access: AccessParts,
) -> Application:
    configs = _configs(adapters)
    limit = settings.max_concurrent_executions
    executions = Executions(configs=configs, work=adapters.work(), engine=engine, limit=limit)
    letters = adapters.dead_letters()
    dead_letters = DeadLetters(letters=letters, executions=executions, engine=engine, limit=limit)
    search = Search(index=adapters.index(), models=adapters.models(), reranker=adapters.reranker())
    kept = make_kept(adapters, executions)
    chatting = make_chatting(adapters, search, settings, kept["templates"])
    return Application(
        configs=configs,
        executions=executions,
        **make_routed(adapters, executions, route_pauses),
        dead_letters=dead_letters,
        redrives=Redrives(dead_letters=dead_letters),
        replays=Replays(
            executions=executions, history=adapters.message_history(), needing_content=NEEDING_CONTENT
        ),
        stored_objects=StoredObjects(storage=adapters.storage(), uploading=make_uploading(adapters)),
        **kept,
        lineage=_lineage(adapters),
        lineage_traces=LineageTraces(reader=adapters.lineage_reader()),
        lineage_figures=LineageFigures(statistics=adapters.lineage_statistics(), work=adapters.work()),
        lineage_repair=_lineage_repair(adapters),
        search=search,
        embeddings=Embeddings(models=search.models, tokenizer=adapters.tokenizer()),
        embedding_holdings=(holdings := make_holdings(adapters, executions)),
        reembeddings=Reembeddings(executions=executions, slots=holdings.slots, models=holdings.models),
        indexes=Indexes(administration=adapters.index_administration()),
        chat=chatting.chat,
        chat_runs=chatting.runs,
        chat_threads=chatting.threads,
        conversations=chatting.conversations,
        **(catalogued := make_catalogued(adapters)),
        webhook_subscriptions=webhooks.subscriptions,
        webhook_deliveries=webhooks.deliveries,
        webhook_redeliveries=webhooks.redeliveries,
        workers=Workers(leases=adapters.leases(), clock=adapters.clock(), owner=engine.ports.owner),
        diagnostics=_diagnostics(adapters, engine),
        **access.use_cases,
        health=_health(adapters, orchestrator, catalogued["catalogue"]),
    )


def _configs(adapters: Adapters) -> Configs:
    return Configs(
        work=adapters.work(),
        parser=adapters.parser(),
        registry=adapters.registry(),
        clock=adapters.clock(),
        ids=adapters.ids(),
    )


def _webhooks(adapters: Adapters, settings: Settings) -> Webhooks:
    return make_webhooks(
        settings,
        subscriptions=adapters.webhook_subscriptions(),
        deliveries=adapters.webhook_deliveries(),
        queue=adapters.webhook_queue(),
        sender=adapters.webhook_sender(),
        clock=adapters.clock(),
        ids=adapters.ids(),
        events=adapters.events(),
    )


def _diagnostics(adapters: Adapters, engine: Engine) -> Diagnostics:
    return Diagnostics(
        queue=adapters.queue(),
        storage=adapters.storage(),
        inspection=adapters.inspection(),
        ids=adapters.ids(),
        gates=engine.gates,
        brokers=adapters.brokers(),
    )


def _lineage(adapters: Adapters) -> Lineage:
    return Lineage(
        reader=adapters.lineage_reader(), statistics=adapters.lineage_statistics(), work=adapters.work()
    )


def _lineage_repair(adapters: Adapters) -> LineageRepair:
    return LineageRepair(
        unrecorded=adapters.lineage_gap(),
        sink=adapters.lineage(),
        work=adapters.work(),
        registry=adapters.registry(),
        storage=adapters.storage(),
    )


def _health(adapters: Adapters, orchestrator: Readiness, catalogue: Catalogue) -> SystemHealth:
    parts: list[Readiness] = [getattr(adapters, slot)() for slot in HEALTHY]
    parts += [orchestrator, CatalogueReadiness(catalogue=catalogue)]
    return SystemHealth(
        components=parts,
        clock=adapters.clock(),
        started_at=adapters.clock().now(),
    )
