"""A server without routes and workers, each a process, over a database, a broker and a bucket that may go away."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from adapters.s3.storage import S3ObjectStorage
from tests.integration.working import Answering, Crowd, Running, crowd
from tests.proof.runs import Effects, Place, assert_as_undisturbed, effects_of, expected_messages
from tests.proof.service import YAML
from tests.s3_service import S3Service, new_bucket, remove_bucket

PROGRAM = Path(__file__).with_name("fleet_member.py")
PREFIX = "service"
TERMINAL = {"completed", "failed", "cancelled"}


@dataclass(slots=True, kw_only=True)
class Fleet:
    """The processes, and the one run that they share."""

    place: Place
    crowd: Crowd
    storage: Callable[[], S3ObjectStorage]
    server: Answering = field(init=False)
    workers: list[Running] = field(default_factory=list)
    execution_id: str = ""
    _lives: int = 0

    def start(self, workers: int = 2) -> None:
        """A server and so many workers, all of which answer."""
        self.start_server()
        for _ in range(workers):
            self.start_worker()

    def start_server(self) -> None:
        self.server = self.crowd.server(self._name("server"), "--no-routes")

    def start_worker(self) -> None:
        self.workers.append(self.crowd.worker(self._name("worker")))

    def kill_server(self) -> None:
        self.server.kill()

    def kill_worker(self, number: int) -> None:
        self.workers.pop(number % len(self.workers)).kill()

    def _name(self, kind: str) -> str:
        self._lives += 1
        return f"{kind}-{self._lives}"

    def begin(self) -> None:
        """Start the run."""
        self.execution_id = self.server.start(YAML)

    def look(self) -> dict[str, Any]:
        """The execution as the server tells of it; without ``messages`` while it cannot."""
        with suppress(OSError):
            return self.server.execution(self.execution_id)
        return {}

    def wait_until_done(self, messages: int, seconds: float = 90) -> None:
        """Return when so many messages are done."""
        give_up_at = time.monotonic() + seconds
        while (found := self.look()).get("messages", {"done": 0})["done"] < messages:
            assert time.monotonic() < give_up_at, (messages, found, self.said())
            time.sleep(0.05)

    def wait_until_ended(self, seconds: float = 120) -> float:
        """Return when the run has ended and nothing is outstanding; returns how many seconds that took."""
        began = time.monotonic()
        while True:
            found = self.look()
            if found.get("status") in TERMINAL and not found["messages"]["outstanding"]:
                return time.monotonic() - began
            assert time.monotonic() < began + seconds, (found, self.said())
            time.sleep(0.05)

    def said(self) -> str:
        """What every process has logged."""
        return "\n".join(
            f"--- {log.name}\n{log.read_text()}" for log in sorted(self.crowd.folder.glob("*.log"))
        )

    def effects(self) -> Effects:
        """What the run has left."""
        return asyncio.run(effects_of(self.place, self.storage()))

    def repair_lineage(self) -> None:
        """Write what processes that died had not yet written."""
        repaired = self.server.ask(f"/lineage/repair?execution_id={self.execution_id}", method="POST")
        assert "entries" in repaired, repaired


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """How messages fared, against those of an undisturbed run."""

    messages: int
    redelivered: int
    lost: int
    doubled: int

    def __str__(self) -> str:
        return (
            f"{self.messages} messages, {self.redelivered} redelivered, "
            f"{self.lost} lost, {self.doubled} doubled"
        )


def tally(effects: Effects, fan: int) -> Tally:
    """Count; what is counted twice, in the ledger's rows or in the execution's counters, is doubled."""
    expected = expected_messages(effects.execution.id, fan)
    done = {one for one, row in effects.rows.items() if row.state == "done"}
    surplus = max(effects.execution.counts.total - len(expected), 0)
    return Tally(
        messages=len(expected),
        redelivered=sum(row.attempt - 1 for row in effects.rows.values()),
        lost=len(expected.keys() - done),
        doubled=max(len(effects.rows.keys() - expected.keys()), surplus),
    )


def settled_well(fleet: Fleet) -> Tally:
    """The tally of a run that has ended; raises AssertionError unless its effects are those of an undisturbed one."""
    fleet.repair_lineage()
    effects = fleet.effects()
    counted = tally(effects, fleet.place.fan)
    assert (counted.lost, counted.doubled) == (0, 0), counted
    assert_as_undisturbed(effects, fleet.place.fan)
    return counted


@contextmanager
def fleet(
    folder: Path, s3: S3Service, environment: Mapping[str, str], *, fan: int, pace: float, s3_url: str = ""
) -> Iterator[Fleet]:
    """Nobody started yet; ``environment`` says where database and broker are, ``s3_url`` how S3 is reached if otherwise."""
    bucket = new_bucket()
    s3.client.create_bucket(Bucket=bucket)
    place = Place(database_url=environment["FACTFLOW_DATABASE_URL"], folder=folder, fan=fan)
    options = {"database_url": "", "folder": str(folder), "fan": fan, "pace": pace}
    told = {
        "FACTFLOW_STORAGE_URL": f"s3://{bucket}/{PREFIX}",
        "FACTFLOW_STORAGE_ENDPOINT": s3_url or s3.url,
        "FACTFLOW_STORAGE_REGION": "us-east-1",
        "FACTFLOW_STORAGE_ACCESS_KEY": s3.access_key,
        "FACTFLOW_STORAGE_SECRET_KEY": s3.secret_key,
        "FACTFLOW_CONFIG_VALIDATOR_STRICT": "0",
        "PROOF": json.dumps(options),
        **environment,
    }
    with crowd(folder, told) as processes:
        processes.program = (str(PROGRAM),)
        yield Fleet(place=place, crowd=processes, storage=lambda: s3.storage(bucket, prefix=PREFIX))
    remove_bucket(s3, bucket)
