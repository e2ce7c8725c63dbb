"""What a broker does to those who use it: queues vanish, it loses patience, its disk is full. Seen, told, recovered from."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.databases import own_database
from tests.integration.working import until
from tests.proof.fleets import Fleet, fleet, settled_well
from tests.rabbitmq_hands import be_patient_for, foreign_hand
from tests.rabbitmq_service import Node, own_node
from tests.s3_service import S3Service, s3_service

__all__ = ["s3_service"]

pytestmark = [pytest.mark.slow, pytest.mark.soak]

PATIENT_MILLISECONDS = 1_800_000
ROUTES = 3
"""Of the pipeline; each has a queue."""


@pytest.fixture(scope="module")
def node() -> Iterator[Node]:
    """A broker that may be treated badly."""
    with own_node() as started:
        yield started


@contextmanager
def over(
    node: Node, database_url: str, s3: S3Service, folder: Path, *, fan: int, pace: float
) -> Iterator[Fleet]:
    """A fleet over the node, its run begun."""
    environment = {"FACTFLOW_DATABASE_URL": database_url, "FACTFLOW_QUEUE_URL": node.url}
    with fleet(folder, s3, environment, fan=fan, pace=pace) as running:
        running.start()
        running.begin()
        yield running


@pytest.fixture
def database_url(external_postgres_url: str) -> Iterator[str]:
    """The address of a migrated database of its own."""
    with own_database(external_postgres_url) as url:
        yield url


async def _delete(url: str, names: Sequence[str]) -> None:
    async with foreign_hand(url) as hand:
        for name in names:
            await hand.queue_delete(name)


def queues_that_are_back(node: Node, execution_id: str) -> Sequence[str]:
    """Those of the execution, once all of them are there: what was deleted comes back within seconds."""

    def found() -> Sequence[str]:
        return [one for one in node.control("list_queues", "name").split() if execution_id in one]

    names: Sequence[str] = until(found, lambda names: len(names) == ROUTES, 30)
    return names


def queue_health(running: Fleet) -> dict[str, str]:
    """What the server says of its queue."""
    components = running.server.ask("/system/health")["components"]
    found: dict[str, str] = next(one for one in components if one["name"] == "queue")
    return found


def test_queues_that_are_deleted_under_their_consumers_come_back(
    node: Node, database_url: str, s3_service: S3Service, tmp_path: Path
) -> None:
    """With all that was in them, which is published again from the ledger; the log names them."""
    with over(node, database_url, s3_service, tmp_path, fan=300, pace=0.3) as running:
        deleted = 0
        for part in range(1, 4):
            running.wait_until_done(part * 60)
            names = queues_that_are_back(node, running.execution_id)
            asyncio.run(_delete(node.url, names))
            deleted += len(names)
        running.wait_until_ended()
        settled_well(running)
        told = running.said().count("was deleted")
    assert deleted == 3 * ROUTES
    assert told >= deleted


def test_a_broker_that_comes_back_empty_is_filled_from_the_ledger(
    node: Node, database_url: str, s3_service: S3Service, tmp_path: Path
) -> None:
    """As one that was replaced: there is nothing in it that would need a backup."""
    with over(node, database_url, s3_service, tmp_path, fan=300, pace=0.3) as running:
        running.wait_until_done(100)
        for order in ("stop_app", "reset", "start_app"):
            node.control(order)
        running.wait_until_ended()
        settled_well(running)


def test_work_that_takes_longer_than_the_broker_waits_is_done_once(
    node: Node, database_url: str, s3_service: S3Service, tmp_path: Path
) -> None:
    """Consumers are thrown out and come back, and what is delivered again finds itself claimed."""
    be_patient_for(node, 1_000)
    try:
        with over(node, database_url, s3_service, tmp_path, fan=64, pace=4.0) as running:
            running.wait_until_ended()
            counted = settled_well(running)
            told = running.said()
    finally:
        be_patient_for(node, PATIENT_MILLISECONDS)
    assert counted.redelivered == 0
    assert "was lost and is set up again" in told
    assert "PRECONDITION" in told or "timed out" in told


def test_a_full_disk_is_reported_and_the_run_goes_on_when_there_is_room(
    node: Node, database_url: str, s3_service: S3Service, tmp_path: Path
) -> None:
    """Health is degraded and says why, and is well again when the alarm is over."""
    with over(node, database_url, s3_service, tmp_path, fan=300, pace=0.3) as running:
        running.wait_until_done(60)
        node.control("set_disk_free_limit", "100000GB")
        try:
            until(
                lambda: running.server.ask("/system/mq-diagnostic", method="POST") and queue_health(running),
                lambda found: found["status"] == "degraded" and "disk" in found["message"],
                30,
            )
            time.sleep(5)
            assert running.look()["status"] == "running"
        finally:
            node.control("set_disk_free_limit", "1MB")
        running.wait_until_ended()
        until(lambda: queue_health(running), lambda found: found["status"] == "healthy", 10)
        settled_well(running)
