"""Which adapter the settings ask for, one function for each slot where there is a choice."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from adapters.embedded_postgres.server import EmbeddedPostgres
from adapters.filesystem.storage import FilesystemObjectStorage
from adapters.http_client.fetcher import HttpFetcher
from adapters.http_client.guard import SystemLookup
from adapters.memory.event_bus import InProcessEventBus
from adapters.memory.message_queue import InProcessMessageQueue
from adapters.model_servers.language_model import OpenAiLanguageModel
from adapters.opentelemetry.spans import Spans
from adapters.pipeline.registry import PipelineAdapters
from adapters.postgres.database import Database
from adapters.postgres.event_bus import PostgresEventBus
from adapters.postgres.lineage_sink import PostgresLineageSink
from adapters.postgres.sole_use import SoleUse
from adapters.stomp.probe import StompBrokerProbe
from application.call_limiter import call_limiter
from application.ports.event_bus import EventBus
from application.ports.id_source import IdSource
from application.ports.message_queue import MessageQueue
from application.ports.object_storage import ObjectStorage
from domain.outbound import OutboundPolicy
from entrypoints.data_folder import DataFolder
from entrypoints.settings import Settings

if TYPE_CHECKING:
    from adapters.rabbitmq.message_queue import RabbitMessageQueue
    from adapters.s3.storage import S3ObjectStorage


def postgres(settings: Settings, folder: DataFolder) -> EmbeddedPostgres | None:
    """A server of our own, unless there is one by address."""
    return None if settings.database_url else EmbeddedPostgres(folder.folder("postgres"))


def database(settings: Settings, postgres: EmbeddedPostgres | None) -> Database:
    """Connections to our own server, or to that of the address."""
    url = (settings.database_url or "") if postgres is None else lambda: postgres.url
    return Database(url, max_size=settings.database_pool_size)


def data_folder(settings: Settings) -> DataFolder:
    """For this process alone when the queue is in it; otherwise for as many as share the queue."""
    return DataFolder(settings.data_dir, is_shared=settings.queue_url is not None)


def sole_use(settings: Settings, database: Database) -> SoleUse:
    """Who has the queue in its process works on the database alone."""
    return SoleUse(database, is_shared=settings.queue_url is not None)


def queue(settings: Settings) -> MessageQueue:
    """RabbitMQ by its address, or one in this process."""
    return InProcessMessageQueue() if settings.queue_url is None else broker(settings.queue_url, settings)


def broker(url: str, settings: Settings) -> RabbitMessageQueue:
    """The RabbitMQ at an address, or at several by commas."""
    # Imported only where it is used: it takes a tenth of a second.
    from adapters.rabbitmq.message_queue import RabbitMessageQueue

    urls = [one.strip() for one in url.split(",")]
    return RabbitMessageQueue(urls, queue_type="quorum" if settings.queue_type == "quorum" else "classic")


def events(settings: Settings, database: Database) -> EventBus:
    """Over the database where several processes share it."""
    local = InProcessEventBus()
    return local if settings.queue_url is None else PostgresEventBus(database, local)


def spans(settings: Settings) -> Spans | None:
    """For a collector, where somebody wants traces."""
    return Spans() if settings.traces else None


def lineage(database: Database, spans: Spans | None) -> PostgresLineageSink:
    """In the database, and as spans beside it."""
    return PostgresLineageSink(database, told=None if spans is None else spans.handled)


def storage(settings: Settings, folder: DataFolder) -> ObjectStorage:
    """A bucket, or a folder, by its address; without one a folder in the data folder."""
    if is_bucket(settings.storage_url):
        return bucket(settings)
    return FilesystemObjectStorage(
        Path(settings.storage_url) if settings.storage_url else folder.folder("storage")
    )


def is_bucket(url: str | None) -> bool:
    """Whether the storage of this address is in S3."""
    return urlsplit(url or "").scheme == "s3"


def bucket(settings: Settings, *, attempts: int = 4, read_timeout: float = 30) -> S3ObjectStorage:
    """The bucket of the settings; each request is tried so often and waits so long, in seconds."""
    from adapters.s3.storage import S3ObjectStorage

    parts = urlsplit(settings.storage_url or "")
    return S3ObjectStorage(
        parts.netloc,
        prefix=parts.path.strip("/"),
        endpoint_url=settings.storage_endpoint,
        region=settings.storage_region,
        access_key=settings.storage_access_key,
        secret_key=settings.storage_secret_key,
        path_style=settings.storage_path_style,
        create_bucket=settings.storage_create_bucket,
        checksum_headers=settings.storage_checksum_headers,
        attempts=attempts,
        read_timeout=read_timeout,
    )


def language_model(settings: Settings) -> OpenAiLanguageModel | None:
    """The endpoint of the settings, if there is one."""
    if settings.llm_base_url is None:
        return None
    return OpenAiLanguageModel(
        settings.llm_base_url,
        api_key=settings.llm_api_key,
        model=settings.llm_model,
        timeout=settings.llm_timeout_seconds,
        attempts=settings.llm_attempts,
        limiter=call_limiter(settings.llm_base_url, most=settings.llm_max_concurrency),
    )


def catalogue(registry: PipelineAdapters) -> PipelineAdapters:
    """The registry's other port."""
    return registry


def fetcher(settings: Settings) -> HttpFetcher:
    """Public websites, by http too, and the networks that the operator allows."""
    policy = OutboundPolicy(allowed_networks=settings.crawl_allowed_networks, is_http_allowed=True)
    return HttpFetcher(policy)


def brokers(settings: Settings, ids: IdSource, lookup: SystemLookup) -> StompBrokerProbe:
    """Public brokers, and those on networks that the operator allows."""
    policy = OutboundPolicy(allowed_networks=settings.diagnostic_allowed_networks)
    return StompBrokerProbe(policy, ids, lookup)
