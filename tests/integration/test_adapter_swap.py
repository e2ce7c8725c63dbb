"""One story over every combination of queue, storage and database: each may be exchanged alone, and nobody notices."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from io import BytesIO
from itertools import product
from pathlib import Path
from typing import Any
from urllib.parse import quote
from zipfile import ZipFile

import pytest

from tests.databases import own_database
from tests.integration.working import Answering, crowd, until
from tests.s3_service import S3Service, new_bucket, remove_bucket, s3_service

__all__ = ["s3_service"]

pytestmark = pytest.mark.slow

QUEUES = ("in-process", "rabbitmq")
STORAGES = ("files", "s3")
DATABASES = ("embedded", "external")
SAMPLE = ("rabbitmq", "s3", "embedded")
DOCUMENTS = ("harbour", "lighthouse", "pilot")


def combinations() -> Iterator[Any]:
    """All of them; one runs always, and the others with the soak tests."""
    for combination in product(QUEUES, STORAGES, DATABASES):
        marks = [] if combination == SAMPLE else [pytest.mark.soak]
        yield pytest.param(*combination, id=", ".join(combination), marks=marks)


@pytest.fixture
def documents(tmp_path: Path) -> Path:
    """A small folder."""
    folder = tmp_path / "docs"
    folder.mkdir()
    for number, name in enumerate(DOCUMENTS):
        text = f"# The {name}\n\nThe {name} has {number + 3} lamps. They are lit at dusk by the keeper.\n"
        (folder / f"{name}.md").write_text(text, encoding="utf-8")
    return folder


@pytest.mark.parametrize(("queue", "storage", "database"), tuple(combinations()))
def test_the_story_is_the_same(
    queue: str,
    storage: str,
    database: str,
    request: pytest.FixtureRequest,
    tmp_path: Path,
    documents: Path,
) -> None:
    """Documents are taken in, found, asked about, replayed and archived, and a server stopped and started again still has all."""
    with ExitStack() as stack:
        environment = {
            "FACTFLOW_STORAGE_URL": str(tmp_path / "objects"),
            **(told_of_queue(request) if queue == "rabbitmq" else {}),
            **(stack.enter_context(told_of_bucket(request)) if storage == "s3" else {}),
            **(stack.enter_context(told_of_database(request)) if database == "external" else {}),
        }
        processes = stack.enter_context(crowd(tmp_path, environment))
        options = ["--embedded"] if database == "embedded" else []
        empty = tmp_path / "nothing"
        empty.mkdir()
        server = processes.server("first", *options, "--docs", str(empty))
        ingested = is_told(server, documents)
        assert server.stop() == 0
        again = processes.server("second", *options, "--docs", str(empty))
        is_answered(again, by=ingested)
        assert again.stop() == 0


def is_well(server: Answering, within: float = 20) -> None:
    """Every component is; one that other tests have just given trouble may take some seconds."""
    until = time.monotonic() + within
    while (health := server.ask("/system/health"))["status"] != "healthy":
        assert time.monotonic() < until, [one for one in health["components"] if one["status"] != "healthy"]
        time.sleep(0.2)


def is_told(server: Answering, documents: Path) -> str:
    """Ingest, search, chat, replay, archive; returns the replay's id."""
    is_well(server)
    execution_id = server.take_in(documents)
    ended = server.ended(execution_id)
    assert (ended["status"], ended["messages"]["dead"]) == ("completed", 0), ended
    is_answered(server, by=execution_id)
    kept = server.ask(f"/storage/objects?prefix=executions/{execution_id}/")["objects"]
    assert {one["key"].split("/")[3] for one in kept} >= {"markdown", "segments"}, kept
    replay = server.ask(f"/executions/{execution_id}/replay", {"from_stage": "segments", "tag": "again"})
    assert "id" in replay, replay
    ended = server.ended(replay["id"])
    assert (ended["status"], ended["messages"]["dead"]) == ("completed", 0), ended
    is_answered(server, by=replay["id"])
    is_archived(server, execution_id, [one["key"] for one in kept])
    return str(replay["id"])


def is_archived(server: Answering, execution_id: str, keys: Sequence[str]) -> None:
    """A ZIP file of what the execution kept has every object under its key, byte by byte as storage gives it."""
    prepared = server.ask("/content/archive/prepare", {"execution_id": execution_id})
    assert "job_id" in prepared, prepared
    status = until(
        lambda: server.ask(f"/content/archive/{prepared['job_id']}/status"),
        lambda one: one["status"] != "preparing",
        30,
    )
    assert status["status"] == "ready", status
    archive = ZipFile(BytesIO(server.read(f"/content/archive/{prepared['job_id']}/download")))
    assert set(archive.namelist()) >= set(keys), archive.namelist()
    for key in keys:
        assert archive.read(key) == server.read(f"/storage/objects/{quote(key)}"), key


def is_answered(server: Answering, *, by: str) -> None:
    """Search and chat answer from what that execution indexed."""
    found = server.ask("/search", {"query": "how many lamps has the lighthouse", "limit": 3})["results"]
    assert found[0]["execution_id"] == by, found
    assert "lighthouse has 4 lamps" in found[0]["text"], found
    answer = server.ask("/chat/complete", {"query": "How many lamps has the lighthouse?"})
    assert "4 lamps" in answer["text"], answer
    assert answer["is_supported"], answer


def told_of_queue(request: pytest.FixtureRequest) -> dict[str, str]:
    """Where the broker is, and what processes that may share it need."""
    return {
        "FACTFLOW_QUEUE_URL": request.getfixturevalue("rabbitmq_url"),
        "FACTFLOW_WEBHOOK_KEY": "a key of thirty-two characters or more",
    }


@contextmanager
def told_of_bucket(request: pytest.FixtureRequest) -> Iterator[dict[str, str]]:
    """Where a bucket of its own is."""
    service: S3Service = request.getfixturevalue("s3_service")
    bucket = new_bucket()
    service.client.create_bucket(Bucket=bucket)
    yield {
        "FACTFLOW_STORAGE_URL": f"s3://{bucket}/swap",
        "FACTFLOW_STORAGE_ENDPOINT": service.url,
        "FACTFLOW_STORAGE_REGION": "us-east-1",
        "FACTFLOW_STORAGE_ACCESS_KEY": service.access_key,
        "FACTFLOW_STORAGE_SECRET_KEY": service.secret_key,
    }
    remove_bucket(service, bucket)


@contextmanager
def told_of_database(request: pytest.FixtureRequest) -> Iterator[dict[str, str]]:
    """Where an empty database of its own is."""
    url: str = request.getfixturevalue("external_postgres_url")
    with own_database(url, template="template0") as own:
        yield {"FACTFLOW_DATABASE_URL": own}
