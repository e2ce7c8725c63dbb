"""The table of contents: everything the service can do."""

from __future__ import annotations

from dataclasses import dataclass

from application.access.audit import Audit
from application.access.doorkeeper import Doorkeeper
from application.access.keys import Keys
from application.access.repeats import Repeats
from application.adapter_configs import AdapterConfigs
from application.archives.archiving import Archiving
from application.chat import Chat
from application.chat_conversations import Conversations
from application.chat_runs import AnswerRuns
from application.chat_threads import Threads
from application.config_versions import ConfigVersions
from application.configs import Configs
from application.dead_letters import DeadLetters
from application.diagnostics import Diagnostics
from application.documents import IndexedDocuments
from application.embedding_holdings import EmbeddingHoldings
from application.embeddings import Embeddings
from application.executions import Executions
from application.health import SystemHealth
from application.lineage import Lineage
from application.lineage_figures import LineageFigures
from application.lineage_repair import LineageRepair
from application.lineage_traces import LineageTraces
from application.pauses import Pausing
from application.pipeline_adapters import Catalogue
from application.redrives import Redrives
from application.reembedding import Reembeddings
from application.replays import Replays
from application.route_figures import RouteFigures
from application.search import Search
from application.search_indexes import Indexes
from application.stored_objects import StoredObjects
from application.templates import TemplateCatalogue
from application.webhooks.deliveries import Deliveries
from application.webhooks.redeliveries import Redeliveries
from application.webhooks.subscriptions import Subscriptions
from application.workers import Workers


@dataclass(frozen=True, slots=True, kw_only=True)
class Application:
    """The use-cases that entry points and the HTTP API are given."""

    configs: Configs
    config_versions: ConfigVersions
    templates: TemplateCatalogue
    executions: Executions
    pausing: Pausing
    route_figures: RouteFigures
    dead_letters: DeadLetters
    redrives: Redrives
    replays: Replays
    stored_objects: StoredObjects
    archiving: Archiving
    indexed_documents: IndexedDocuments
    lineage: Lineage
    lineage_traces: LineageTraces
    lineage_figures: LineageFigures
    lineage_repair: LineageRepair
    search: Search
    embeddings: Embeddings
    embedding_holdings: EmbeddingHoldings
    reembeddings: Reembeddings
    indexes: Indexes
    chat: Chat
    chat_runs: AnswerRuns
    chat_threads: Threads
    conversations: Conversations
    catalogue: Catalogue
    adapter_configs: AdapterConfigs
    webhook_subscriptions: Subscriptions
    webhook_deliveries: Deliveries
    webhook_redeliveries: Redeliveries
    workers: Workers
    diagnostics: Diagnostics
    keys: Keys
    doorkeeper: Doorkeeper
    audit: Audit
    repeats: Repeats
    health: SystemHealth
