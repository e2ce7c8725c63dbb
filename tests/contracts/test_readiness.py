"""What every part that answers for its health does."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import pytest

from adapters.filesystem.storage import FilesystemObjectStorage
from adapters.memory.message_queue import InProcessMessageQueue
from adapters.model_servers.embeddings import OpenAiEmbeddingModel
from adapters.models.minilm import MiniLmEmbeddingModel
from adapters.pipeline.registry import PipelineAdapters
from adapters.postgres.database import Database
from adapters.postgres.lineage_sink import PostgresLineageSink
from adapters.rabbitmq.message_queue import RabbitMessageQueue
from application.health import OrchestratorReadiness
from application.pipeline_adapters import Catalogue, CatalogueReadiness
from application.ports.readiness import Health, Readiness
from tests.databases import fresh_database
from tests.unit.engines import bench

NAMES = {"database", "queue", "storage", "models", "orchestrator", "pipeline_adapters", "lineage"}
SLOW = pytest.mark.slow


def _openai() -> OpenAiEmbeddingModel:
    return OpenAiEmbeddingModel("http://127.0.0.1:1/v1", model="m", dimension=3)


@asynccontextmanager
async def _healthy(kind: str, request: pytest.FixtureRequest, folder: Path) -> AsyncIterator[Readiness]:
    async with AsyncExitStack() as stack:
        if kind == "queue":
            yield InProcessMessageQueue()
        elif kind == "rabbit":
            url = request.getfixturevalue("rabbitmq_url")
            yield await stack.enter_async_context(RabbitMessageQueue([url]))
        elif kind == "storage":
            yield await stack.enter_async_context(FilesystemObjectStorage(folder))
        elif kind == "orchestrator":
            on = await stack.enter_async_context(bench({}))
            yield OrchestratorReadiness(engine=on.engine)
        elif kind == "pipeline_adapters":
            yield CatalogueReadiness(catalogue=Catalogue(adapters=PipelineAdapters(())))
        elif kind == "openai":
            yield await stack.enter_async_context(_openai())
        elif kind == "models":
            yield await stack.enter_async_context(MiniLmEmbeddingModel(folder))
        else:
            url = request.getfixturevalue("postgres_url")
            database = await stack.enter_async_context(fresh_database(url))
            is_lineage = kind == "lineage"
            yield await stack.enter_async_context(PostgresLineageSink(database)) if is_lineage else database


@pytest.fixture(
    params=[
        "queue",
        "storage",
        "orchestrator",
        "pipeline_adapters",
        "openai",
        pytest.param("models", marks=SLOW),
        pytest.param("rabbit", marks=SLOW),
        pytest.param("database", marks=SLOW),
        pytest.param("lineage", marks=SLOW),
    ]
)
async def part(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Readiness]:
    """Each part there is, open and well."""
    async with _healthy(request.param, request, tmp_path) as healthy:
        yield healthy


async def test_a_part_that_is_open_is_healthy_under_its_own_name(part: Readiness) -> None:
    """And the name is one that the health report knows."""
    answer = await part.check()
    assert answer.name == part.component
    assert answer.name in NAMES
    assert answer.health is Health.HEALTHY


@pytest.mark.parametrize(
    "closed",
    [
        Database("postgresql://nobody@127.0.0.1:1/nothing"),
        RabbitMessageQueue(["amqp://127.0.0.1:1/"]),
        FilesystemObjectStorage(Path("/nonexistent/storage")),
        MiniLmEmbeddingModel(Path("/nonexistent/models")),
        _openai(),
        PostgresLineageSink(Database("postgresql://nobody@127.0.0.1:1/nothing")),
    ],
    ids=["database", "rabbit", "storage", "models", "openai", "lineage"],
)
async def test_a_part_that_is_not_open_says_so_and_does_not_raise(closed: Readiness) -> None:
    """Health never answers with an exception."""
    answer = await closed.check()
    assert answer.health is Health.UNHEALTHY
    assert answer.message
