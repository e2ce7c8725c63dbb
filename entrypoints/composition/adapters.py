"""Which adapter fills which port: one slot per port, one container per way to run.

The graph is synchronous and makes unopened objects only; ``running`` opens them.
"""

from __future__ import annotations

from dependency_injector import containers, providers

from adapters.documents.format_reader import FormatDocumentReader
from adapters.embedded_postgres.server import EmbeddedPostgres
from adapters.http_client.guard import SystemLookup
from adapters.memory.chat_threads import ChatStore, MemoryChatMessages, MemoryChatThreads
from adapters.models.tokenizer import MiniLmTokenizer
from adapters.opentelemetry.spans import Spans
from adapters.pipeline.discovery import installed
from adapters.pipeline.resources import Resources
from adapters.pipeline.shipped import shipped
from adapters.postgres.api_keys import PostgresApiKeys
from adapters.postgres.archives import PostgresArchives
from adapters.postgres.audit_log import PostgresAuditLog
from adapters.postgres.chat_messages import PostgresChatMessages
from adapters.postgres.chat_threads import PostgresChatThreads
from adapters.postgres.database import Database
from adapters.postgres.dead_letters import PostgresDeadLetters
from adapters.postgres.documents import PostgresDocuments
from adapters.postgres.execution_ledger import PostgresExecutionLedger
from adapters.postgres.group_ledger import PostgresGroupLedger
from adapters.postgres.idempotency_records import PostgresIdempotencyRecords
from adapters.postgres.index_administration import PostgresIndexAdministration
from adapters.postgres.inspection import PostgresInspection
from adapters.postgres.leases import PostgresLeases
from adapters.postgres.ledger import PostgresLedger
from adapters.postgres.lineage_gap import PostgresLineageGap
from adapters.postgres.lineage_reader import PostgresLineageReader
from adapters.postgres.lineage_statistics import PostgresLineageStatistics
from adapters.postgres.message_history import PostgresMessageHistory
from adapters.postgres.pauses import PostgresPauses
from adapters.postgres.retention import PostgresRetention
from adapters.postgres.schema import Schema
from adapters.postgres.segment_index import PostgresSegmentIndex
from adapters.postgres.slot_holdings import PostgresEmbeddingSlots
from adapters.postgres.sole_use import SoleUse
from adapters.postgres.templates import PostgresTemplates
from adapters.postgres.unit_of_work import PostgresUnitOfWork
from adapters.postgres.uploads import PostgresUploads
from adapters.postgres.webhook_deliveries import PostgresWebhookDeliveries
from adapters.postgres.webhook_queue import PostgresWebhookQueue
from adapters.postgres.webhook_subscriptions import PostgresWebhookSubscriptions
from adapters.system.clock import SystemClock
from adapters.system.id_source import SystemIdSource
from adapters.yaml.parser import YamlConfigParser
from application.embedding_models import EmbeddingModels
from application.ports.api_keys import ApiKeys
from application.ports.archives import Archives
from application.ports.audit_log import AuditLog
from application.ports.broker_probe import BrokerProbe
from application.ports.chat_threads import ChatMessages, ChatThreads
from application.ports.clock import Clock
from application.ports.config_parser import ConfigParser
from application.ports.dead_letters import DeadLetters
from application.ports.document_reader import DocumentReader
from application.ports.documents import Documents
from application.ports.embedding_model import EmbeddingModel
from application.ports.embedding_slots import EmbeddingSlots
from application.ports.event_bus import EventBus
from application.ports.execution_ledger import ExecutionLedger
from application.ports.fetcher import Fetcher
from application.ports.group_ledger import GroupLedger
from application.ports.id_source import IdSource
from application.ports.idempotency_records import IdempotencyRecords
from application.ports.index_administration import IndexAdministration
from application.ports.inspection import Inspection
from application.ports.language_model import LanguageModel
from application.ports.leases import Leases
from application.ports.ledger import Ledger
from application.ports.lineage import LineageReader, LineageSink
from application.ports.lineage_gap import LineageGap
from application.ports.lineage_statistics import LineageStatistics
from application.ports.message_history import MessageHistory
from application.ports.message_queue import MessageQueue
from application.ports.object_storage import ObjectStorage
from application.ports.pauses import Pauses
from application.ports.pipeline_adapter import PipelineAdapterCatalogue, PipelineAdapterRegistry
from application.ports.reranker import Reranker
from application.ports.retention import Retention
from application.ports.sealer import Sealer
from application.ports.segment_index import SegmentIndex
from application.ports.templates import Templates
from application.ports.tokenizer import Tokenizer
from application.ports.unit_of_work import UnitOfWork
from application.ports.uploads import Uploads
from application.ports.webhook_deliveries import WebhookDeliveries
from application.ports.webhook_queue import WebhookQueue
from application.ports.webhook_sender import WebhookSender
from application.ports.webhook_subscriptions import WebhookSubscriptions
from entrypoints.composition import choosing, embedding_slots, webhooks
from entrypoints.composition.embedding_slots import FurtherModels
from entrypoints.data_folder import DataFolder
from entrypoints.settings import Settings

OPENED = (
    "data_folder",
    "postgres",
    "database",
    "sole_use",
    "schema",
    "leases",
    "events",
    "queue",
    "storage",
    "model",
    "further_models",
    "reranker",
    "language_model",
    "spans",
    "lineage",
    "webhook_sender",
    "fetcher",
    "lookup",
)
"""The slots that may be async context managers, in the order in which they are opened."""

HEALTHY = ("database", "queue", "storage", "model", "lineage")
"""The slots that answer for their health."""


class Adapters(containers.DeclarativeContainer):
    """One slot per port. A slot that does not apply holds None."""

    settings = providers.Dependency(instance_of=Settings)

    data_folder: providers.Provider[DataFolder | None] = providers.Object(None)
    postgres: providers.Provider[EmbeddedPostgres | None] = providers.Object(None)
    database: providers.Provider[Database | None] = providers.Object(None)
    sole_use: providers.Provider[SoleUse | None] = providers.Object(None)
    schema: providers.Provider[Schema | None] = providers.Object(None)

    clock: providers.Provider[Clock] = providers.AbstractSingleton()
    ids: providers.Provider[IdSource] = providers.AbstractSingleton()
    queue: providers.Provider[MessageQueue] = providers.AbstractSingleton()
    events: providers.Provider[EventBus] = providers.AbstractSingleton()
    storage: providers.Provider[ObjectStorage] = providers.AbstractSingleton()
    ledger: providers.Provider[Ledger] = providers.AbstractSingleton()
    groups: providers.Provider[GroupLedger] = providers.AbstractSingleton()
    executions: providers.Provider[ExecutionLedger] = providers.AbstractSingleton()
    dead_letters: providers.Provider[DeadLetters] = providers.AbstractSingleton()
    leases: providers.Provider[Leases] = providers.AbstractSingleton()
    pauses: providers.Provider[Pauses] = providers.AbstractSingleton()
    spans: providers.Provider[Spans | None] = providers.Object(None)
    lineage: providers.Provider[LineageSink] = providers.AbstractSingleton()
    lineage_reader: providers.Provider[LineageReader] = providers.AbstractSingleton()
    lineage_statistics: providers.Provider[LineageStatistics] = providers.AbstractSingleton()
    lineage_gap: providers.Provider[LineageGap] = providers.AbstractSingleton()
    message_history: providers.Provider[MessageHistory] = providers.AbstractSingleton()
    work: providers.Provider[UnitOfWork] = providers.AbstractSingleton()
    uploads: providers.Provider[Uploads] = providers.AbstractSingleton()
    retention: providers.Provider[Retention] = providers.AbstractSingleton()
    sealer: providers.Provider[Sealer] = providers.AbstractSingleton()
    webhook_subscriptions: providers.Provider[WebhookSubscriptions] = providers.AbstractSingleton()
    webhook_deliveries: providers.Provider[WebhookDeliveries] = providers.AbstractSingleton()
    webhook_queue: providers.Provider[WebhookQueue] = providers.AbstractSingleton()
    webhook_sender: providers.Provider[WebhookSender] = providers.AbstractSingleton()
    chat_threads: providers.Provider[ChatThreads] = providers.AbstractSingleton()
    chat_messages: providers.Provider[ChatMessages] = providers.AbstractSingleton()
    transient_chat_threads: providers.Provider[ChatThreads] = providers.AbstractSingleton()
    transient_chat_messages: providers.Provider[ChatMessages] = providers.AbstractSingleton()
    archives: providers.Provider[Archives] = providers.AbstractSingleton()
    api_keys: providers.Provider[ApiKeys] = providers.AbstractSingleton()
    audit_log: providers.Provider[AuditLog] = providers.AbstractSingleton()
    idempotency_records: providers.Provider[IdempotencyRecords] = providers.AbstractSingleton()
    templates: providers.Provider[Templates] = providers.AbstractSingleton()
    documents: providers.Provider[Documents] = providers.AbstractSingleton()
    index: providers.Provider[SegmentIndex] = providers.AbstractSingleton()
    slots: providers.Provider[EmbeddingSlots] = providers.AbstractSingleton()
    index_administration: providers.Provider[IndexAdministration] = providers.AbstractSingleton()
    inspection: providers.Provider[Inspection] = providers.AbstractSingleton()
    parser: providers.Provider[ConfigParser] = providers.AbstractSingleton()
    reader: providers.Provider[DocumentReader] = providers.AbstractSingleton()
    tokenizer: providers.Provider[Tokenizer] = providers.AbstractSingleton()
    model: providers.Provider[EmbeddingModel] = providers.AbstractSingleton()
    further_models: providers.Provider[FurtherModels] = providers.Singleton(FurtherModels)
    models: providers.Provider[EmbeddingModels] = providers.AbstractSingleton()
    reranker: providers.Provider[Reranker | None] = providers.Object(None)
    language_model: providers.Provider[LanguageModel | None] = providers.AbstractSingleton()
    lookup: providers.Provider[SystemLookup | None] = providers.Object(None)
    brokers: providers.Provider[BrokerProbe] = providers.AbstractSingleton()
    fetcher: providers.Provider[Fetcher] = providers.AbstractSingleton()
    registry: providers.Provider[PipelineAdapterRegistry] = providers.AbstractSingleton()
    catalogue: providers.Provider[PipelineAdapterCatalogue] = providers.AbstractSingleton()


class EmbeddedAdapters(Adapters):
    """Everything in one process and one folder: nothing to install, nothing to configure.

    Each port that has an address in the settings is set on its own.
    """

    settings = Adapters.settings

    data_folder = providers.Singleton(DataFolder, settings.provided.data_dir)
    postgres = providers.Singleton(choosing.postgres, settings, data_folder)
    database = providers.Singleton(choosing.database, settings, postgres)
    sole_use = providers.Singleton(choosing.sole_use, settings, database)
    schema = providers.Singleton(Schema, database)

    clock = providers.Singleton(SystemClock)
    ids = providers.Singleton(SystemIdSource)
    queue = providers.Singleton(choosing.queue, settings)
    events = providers.Singleton(choosing.events, settings, database)
    storage = providers.Singleton(choosing.storage, settings, data_folder)
    ledger = providers.Singleton(PostgresLedger, database)
    groups = providers.Singleton(PostgresGroupLedger, database)
    executions = providers.Singleton(PostgresExecutionLedger, database)
    dead_letters = providers.Singleton(PostgresDeadLetters, database)
    leases = providers.Singleton(PostgresLeases, database)
    pauses = providers.Singleton(PostgresPauses, database)
    spans = providers.Singleton(choosing.spans, settings)
    lineage = providers.Singleton(choosing.lineage, database, spans)
    lineage_reader = providers.Singleton(PostgresLineageReader, database)
    lineage_statistics = providers.Singleton(PostgresLineageStatistics, database)
    lineage_gap = providers.Singleton(PostgresLineageGap, database)
    message_history = providers.Singleton(PostgresMessageHistory, database)
    work = providers.Singleton(PostgresUnitOfWork, database)
    uploads = providers.Singleton(PostgresUploads, database)
    retention = providers.Singleton(PostgresRetention, database)
    sealer = providers.Singleton(webhooks.sealer, settings, data_folder)
    webhook_subscriptions = providers.Singleton(PostgresWebhookSubscriptions, database, sealer)
    webhook_deliveries = providers.Singleton(PostgresWebhookDeliveries, database)
    webhook_queue = providers.Singleton(PostgresWebhookQueue, database)
    webhook_sender = providers.Singleton(webhooks.sender, settings)
    chat_threads = providers.Singleton(PostgresChatThreads, database)
    chat_messages = providers.Singleton(PostgresChatMessages, database)
    _transient_chat = providers.Singleton(ChatStore)
    transient_chat_threads = providers.Singleton(MemoryChatThreads, _transient_chat)
    transient_chat_messages = providers.Singleton(MemoryChatMessages, _transient_chat)
    archives = providers.Singleton(PostgresArchives, database)
    api_keys = providers.Singleton(PostgresApiKeys, database)
    audit_log = providers.Singleton(PostgresAuditLog, database)
    idempotency_records = providers.Singleton(PostgresIdempotencyRecords, database)
    templates = providers.Singleton(PostgresTemplates, database)
    documents = providers.Singleton(PostgresDocuments, database)
    index = providers.Singleton(PostgresSegmentIndex, database)
    slots = providers.Singleton(PostgresEmbeddingSlots, database)
    index_administration = providers.Singleton(PostgresIndexAdministration, database)
    inspection = providers.Singleton(PostgresInspection, database)
    parser = providers.Singleton(YamlConfigParser)
    reader = providers.Singleton(FormatDocumentReader)
    tokenizer = providers.Singleton(MiniLmTokenizer)
    model = providers.Singleton(embedding_slots.own, settings, data_folder, tokenizer)
    further_models = providers.Singleton(embedding_slots.further, settings, data_folder, tokenizer)
    models = providers.Singleton(embedding_slots.together, model, further_models)
    reranker = providers.Singleton(embedding_slots.reranker, settings)
    language_model = providers.Singleton(choosing.language_model, settings)
    lookup = providers.Singleton(SystemLookup)
    brokers = providers.Singleton(choosing.brokers, settings, ids, lookup)
    fetcher = providers.Singleton(choosing.fetcher, settings)
    registry = providers.Singleton(
        shipped,
        providers.Factory(
            Resources,
            storage=storage,
            reader=reader,
            tokenizer=tokenizer,
            documents=documents,
            models=models,
            index=index,
            slots=slots,
            clock=clock,
            fetcher=fetcher,
        ),
        installed,
    )
    catalogue = providers.Singleton(choosing.catalogue, registry)


@containers.copy(EmbeddedAdapters)
class ServerAdapters(EmbeddedAdapters):
    """Everything by its address; the processes of a machine that share the queue share the data folder too."""

    settings = Adapters.settings

    data_folder = providers.Singleton(choosing.data_folder, settings)
