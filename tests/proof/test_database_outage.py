"""PostgreSQL goes away under load and comes back: nothing is stuck, nothing is lost, and the server goes on answering."""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.proof.clusters import Cluster, cluster
from tests.proof.runs import Place, Serving, assert_as_undisturbed, effects_of

FAN = 200
PACE = 0.04
MESSAGES = 1 + 3 * FAN

HOW = {"immediate": signal.SIGQUIT, "fast": signal.SIGINT, "frozen": None}


@pytest.fixture(scope="module")
def postgres() -> Iterator[Cluster]:
    """A server for the tests of this module, which run one after the other."""
    with cluster() as running:
        yield running


def out_of_order(
    postgres: Cluster, how: signal.Signals | None, seconds: float, serving: Serving
) -> list[int]:
    """Take the server away for so long; returns what the service answered about its health meanwhile."""
    frozen = postgres.freeze() if how is None else []
    if how is not None:
        postgres.stop(how)
    answers = []
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        answers.append(serving.get("/system/health", seconds=5.0)[0])
        time.sleep(0.5)
    if frozen:
        postgres.thaw(frozen)
    else:
        postgres.start()
    return answers


@pytest.mark.slow
@pytest.mark.parametrize(
    ("how", "seconds"),
    [
        ("immediate", 2.0),
        *(pytest.param(how, 10.0, marks=pytest.mark.soak) for how in HOW),
    ],
)
def test_a_run_goes_on_when_the_database_is_back(
    how: str, seconds: float, postgres: Cluster, tmp_path: Path
) -> None:
    """Whether it was stopped, killed or stood still."""
    url = postgres.another_database()
    place = Place(database_url=url, folder=tmp_path, fan=FAN)
    with place.serving(pace=PACE) as serving:
        serving.wait_until_settled(60)
        answers = out_of_order(postgres, HOW[how], seconds, serving)
        serving.wait_until_settled(MESSAGES)
        assert serving.get("/executions/proof")[1]["status"] == "completed"
    assert set(answers) <= {200, 503}, answers
    assert len(answers) >= 2
    # Another life writes what lineage lacks, as its batches may have been lost with the server.
    assert place.live() == 0, place.log
    effects = asyncio.run(effects_of(place))
    assert_as_undisturbed(effects, FAN)
