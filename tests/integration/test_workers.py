"""A server without routes and workers as processes, over PostgreSQL, RabbitMQ and S3."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.request import urlopen

import psycopg
import pytest

from tests.databases import own_database
from tests.integration.working import Crowd, crowd, until
from tests.rabbitmq_service import own_node
from tests.s3_service import S3Service, new_bucket, remove_bucket, s3_service
from tests.webhook_receiver import running_receiver

__all__ = ["s3_service"]

pytestmark = pytest.mark.slow

DOCUMENTS = 24
OLD = """
    INSERT INTO pipeline_execution (id, config_id, status, config_snapshot, started_at, completed_at, tag)
    SELECT gen_random_uuid(), gen_random_uuid(), 'completed', '{}', long_ago, long_ago, 'old'
    FROM (SELECT now() - interval '10 days' AS long_ago) AS a
"""
KEPT = "SELECT count(*) FROM pipeline_execution WHERE tag = 'old'"
SETTLED = "SELECT state, count(*), max(attempt) FROM message GROUP BY state"


@pytest.fixture
def database(external_postgres_url: str) -> Iterator[str]:
    """The address of an empty database of its own."""
    with own_database(external_postgres_url, template="template0") as url:
        yield url


@pytest.fixture
def processes(tmp_path: Path, database: str, rabbitmq_url: str, s3_service: S3Service) -> Iterator[Crowd]:
    """What starts servers and workers that share everything."""
    bucket = new_bucket()
    s3_service.client.create_bucket(Bucket=bucket)
    environment = {
        "FACTFLOW_DATABASE_URL": database,
        "FACTFLOW_QUEUE_URL": rabbitmq_url,
        "FACTFLOW_STORAGE_URL": f"s3://{bucket}/service",
        "FACTFLOW_STORAGE_ENDPOINT": s3_service.url,
        "FACTFLOW_STORAGE_REGION": "us-east-1",
        "FACTFLOW_STORAGE_ACCESS_KEY": s3_service.access_key,
        "FACTFLOW_STORAGE_SECRET_KEY": s3_service.secret_key,
    }
    with crowd(tmp_path, environment) as started:
        yield started
    remove_bucket(s3_service, bucket)


@pytest.fixture
def documents(tmp_path: Path) -> Path:
    """A small folder of documents."""
    folder = tmp_path / "docs"
    folder.mkdir()
    for number in range(DOCUMENTS):
        text = f"# Beacon {number}\n\nThe beacon number {number} of the harbour has {number * 7} lamps.\n"
        (folder / f"{number}.md").write_text(text, encoding="utf-8")
    return folder


def test_workers_take_in_documents_though_one_is_killed_and_another_joins(
    processes: Crowd, documents: Path, database: str
) -> None:
    """Every message settles once, search answers, and who is stopped leaves nothing behind."""
    server = processes.server("server", "--no-routes")
    first = processes.worker("first")
    second = processes.starting_worker("second")
    execution_id = server.take_in(documents)
    until(
        lambda: server.execution(execution_id)["messages"]["done"],
        lambda settled: settled > DOCUMENTS / 2,
        60,
    )
    first.kill()
    ended = server.ended(execution_id)
    messages = ended["messages"]
    assert ended["status"] == "completed", second.said()
    assert (messages["done"], messages["dead"]) == (messages["total"], 0)
    with psycopg.connect(database) as connection:
        assert [(state, count) for state, count, _ in connection.execute(SETTLED)] == [
            ("done", messages["total"])
        ]
    found = server.ask("/search", {"query": "how many lamps has beacon 17", "limit": 3})
    assert found["results"], found
    until(
        server.workers,
        lambda alive: {one["name"] for one in alive if one["takes_messages"]} == {"second"},
        20,
    )
    assert second.stop() == 0
    assert [one["takes_messages"] for one in server.workers()] == [False]
    assert server.stop() == 0


def test_a_worker_deletes_nothing_whatever_it_is_told_to_keep(
    processes: Crowd, documents: Path, database: str
) -> None:
    """Servers forget, as soon as they are told to keep less."""
    server = processes.server("server", "--no-routes")
    with psycopg.connect(database, autocommit=True) as connection:

        def kept() -> int:
            ((count,),) = connection.execute(KEPT).fetchall()
            return int(count)

        connection.execute(OLD)
        worker = processes.worker("worker", FACTFLOW_EXECUTION_RETENTION_DAYS="1")
        assert server.ended(server.take_in(documents))["status"] == "completed"
        assert kept() == 1, worker.said()
        processes.server("next", "--no-routes", FACTFLOW_EXECUTION_RETENTION_DAYS="1")
        until(kept, lambda count: count == 0, 20)


def test_a_server_tells_what_its_workers_do(processes: Crowd, documents: Path) -> None:
    """Over its event stream, message by message, and to webhooks."""
    with running_receiver() as receiver:
        processes.environment |= {
            "FACTFLOW_WEBHOOK_KEY": "a key of thirty-two characters or more",
            "FACTFLOW_WEBHOOK_ALLOW_HTTP": "1",
            "FACTFLOW_WEBHOOK_ALLOWED_NETWORKS": "127.0.0.0/8",
        }
        server = processes.server("server", "--no-routes")
        hook = server.ask(
            "/webhooks",
            {"url": receiver.url("200"), "event_types": ["execution.completed"]},
        )
        assert "id" in hook, hook
        execution_id = server.take_in(documents)
        path = f"{server.url}/api/v1/executions/{execution_id}"
        with (
            urlopen(f"{path}/events", timeout=60) as stream,
            urlopen(f"{path}/storage-stream?route_id=read", timeout=60) as stored,
        ):
            processes.worker("worker")
            events, objects = (
                [line.decode().split()[1] for line in told if line.startswith(b"event:")]
                for told in (stream, stored)
            )
        assert (objects.count("object_created"), objects[-1]) == (DOCUMENTS, "status")
        assert events[-1] == "status"
        assert events.count("completed") > DOCUMENTS
        (told,) = until(receiver.received, bool, 20)
        assert json.loads(told["body"])["data"]["execution_id"] == execution_id
        assert server.execution(execution_id)["status"] == "completed"


@pytest.mark.soak
def test_a_pause_at_a_server_holds_up_a_worker_until_it_is_lifted(
    processes: Crowd, documents: Path, database: str
) -> None:
    """And what a worker is stopped with goes on at the next one."""
    server = processes.server("server", "--no-routes")
    worker = processes.worker("worker")
    execution_id = server.take_in(documents)
    server.ask(f"/executions/{execution_id}/pause", method="POST")
    time.sleep(1)
    before = server.execution(execution_id)
    time.sleep(2)
    after = server.execution(execution_id)
    assert (after["status"], after["messages"]) == ("running", before["messages"])
    assert worker.stop() == 0
    processes.worker("next")
    server.ask(f"/executions/{execution_id}/resume", method="POST")
    ended = server.ended(execution_id)
    assert ended["status"] == "completed"
    with psycopg.connect(database) as connection:
        assert {crashes for (crashes,) in connection.execute("SELECT crashes FROM message")} == {0}


@pytest.mark.soak
def test_a_broker_that_is_killed_and_comes_back_loses_nothing(
    processes: Crowd, documents: Path, database: str
) -> None:
    """Nobody is restarted, and every message is attempted once."""
    with own_node() as node:
        processes.environment["FACTFLOW_QUEUE_URL"] = node.url
        for number in range(DOCUMENTS, 20 * DOCUMENTS):
            (documents / f"{number}.md").write_text(f"# Beacon {number}\n\nIt is lit.\n", encoding="utf-8")
        server = processes.server("server", "--no-routes")
        for name in ("first", "second"):
            processes.worker(name)
        execution_id = server.take_in(documents)
        until(
            lambda: server.execution(execution_id)["messages"]["done"],
            lambda settled: settled > 5 * DOCUMENTS,
            60,
        )
        node.kill()
        assert server.ask("/system/health")["status"] == "unhealthy"
        node.start()
        ended = server.ended(execution_id)
        assert (ended["status"], ended["messages"]["dead"]) == ("completed", 0)
        with psycopg.connect(database) as connection:
            rows = connection.execute("SELECT DISTINCT state, crashes FROM message").fetchall()
        assert rows == [("done", 0)]
        until(lambda: node.control("list_queues", "name"), lambda listed: "exec:" not in listed, 10)
