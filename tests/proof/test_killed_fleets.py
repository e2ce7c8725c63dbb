"""Workers, the server, the broker and PostgreSQL are killed under load, one after the other, in any order."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import pytest

from tests.proof.clusters import Cluster, cluster
from tests.proof.fleets import Fleet, fleet, settled_well
from tests.rabbitmq_service import Node, own_node
from tests.s3_service import S3Service, s3_service

__all__ = ["s3_service"]

pytestmark = pytest.mark.slow

AWAY_SECONDS = 1.0
VICTIMS = ("worker", "server", "broker", "postgres")
FEW = {"fan": 60, "pace": 0.1}
MANY = {"fan": 600, "pace": 0.15}


@pytest.fixture(scope="module")
def node() -> Iterator[Node]:
    """A broker that may be killed."""
    with own_node() as started:
        yield started


@pytest.fixture(scope="module")
def postgres() -> Iterator[Cluster]:
    """A PostgreSQL that may be killed."""
    with cluster() as running:
        yield running


def shuffled(seed: int) -> Sequence[str]:
    """Each victim twice, in an order of chance."""
    return random.Random(seed).sample(VICTIMS * 2, 2 * len(VICTIMS))


def killers(running: Fleet, node: Node, postgres: Cluster) -> Mapping[str, Callable[[], None]]:
    """What kills each and brings it back."""

    def worker() -> None:
        running.kill_worker(0)
        running.start_worker()

    def server() -> None:
        running.kill_server()
        running.start_server()

    def broker() -> None:
        node.kill()
        time.sleep(AWAY_SECONDS)
        node.start()

    def database() -> None:
        postgres.kill()
        time.sleep(AWAY_SECONDS)
        postgres.start()

    return dict(zip(VICTIMS, (worker, server, broker, database), strict=True))


@pytest.mark.parametrize(
    ("order", "load"),
    [
        pytest.param(VICTIMS, FEW, id="each once"),
        *(pytest.param(shuffled(seed), MANY, id=f"seed {seed}", marks=pytest.mark.soak) for seed in range(5)),
    ],
)
def test_whoever_is_killed_nothing_is_lost_and_nothing_counts_twice(
    order: Sequence[str],
    load: Mapping[str, float],
    node: Node,
    postgres: Cluster,
    s3_service: S3Service,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Effects, counters, objects and lineage are those of an undisturbed run."""
    environment = {"FACTFLOW_DATABASE_URL": postgres.another_database(), "FACTFLOW_QUEUE_URL": node.url}
    fan, pace = int(load["fan"]), load["pace"]
    with fleet(tmp_path, s3_service, environment, fan=fan, pace=pace) as running:
        running.start()
        running.begin()
        kill = killers(running, node, postgres)
        for number, victim in enumerate(order, start=1):
            running.wait_until_done(3 * fan * number // (len(order) + 1))
            kill[victim]()
        running.wait_until_ended()
        counted = settled_well(running)
    with capsys.disabled():
        print(f"\nkilled {', '.join(order)}: {counted}")  # noqa: T201 - what the proof is about
