"""Lives of the service in processes of their own, and what they leave behind."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias
from uuid import UUID

from adapters.filesystem.storage import FilesystemObjectStorage
from adapters.postgres.database import Database
from adapters.postgres.lineage_reader import PostgresLineageReader
from adapters.s3.storage import S3ObjectStorage
from application.ports.lineage import LineageQuery
from domain.execution import Execution, MessageCounts
from domain.lineage import StageStatus
from domain.message import child_id, init_message_id
from domain.storage import stage_key
from tests.proof.stores import Row, counted, postgres_store

Storage: TypeAlias = FilesystemObjectStorage | S3ObjectStorage

PROGRAM = Path(__file__).with_name("service.py")
KILLED = -9
SECONDS = 90


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where the lives of one service leave what outlives them."""

    database_url: str
    folder: Path
    fan: int = 80

    def arguments(self, **options: Any) -> list[str]:
        """The command of a life."""
        given = {"database_url": self.database_url, "folder": str(self.folder), "fan": self.fan, **options}
        return [sys.executable, str(PROGRAM), json.dumps(given)]

    def live(self, **options: Any) -> int:
        """One life to its end; returns the exit code, a negative one for a signal."""
        with (self.folder / "log").open("ab") as log:
            return subprocess.run(
                self.arguments(**options),
                stdout=log,
                stderr=log,
                check=False,
                timeout=SECONDS,
                env=_environment(),
            ).returncode

    @property
    def log(self) -> str:
        """What all its lives have logged."""
        return (self.folder / "log").read_text(encoding="utf-8", errors="replace")

    @contextmanager
    def serving(self, **options: Any) -> Iterator[Serving]:
        """A life that answers over HTTP, killed at the end."""
        with (self.folder / "log").open("ab") as log:
            process = subprocess.Popen(
                self.arguments(serves=True, **options),
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                env=_environment(),
            )
        try:
            assert process.stdout is not None
            line = process.stdout.readline()
            assert line.startswith("Serving at "), self.log
            yield Serving(process=process, url=line.split()[-1])
        finally:
            process.kill()
            process.wait(10)
            if process.stdout is not None:
                process.stdout.close()


@dataclass(frozen=True, slots=True, kw_only=True)
class Serving:
    """A life that answers over HTTP."""

    process: subprocess.Popen[str]
    url: str

    def get(self, path: str, seconds: float = 20.0) -> tuple[int, Any]:
        """Status and body of a GET, whatever the status."""
        try:
            with urllib.request.urlopen(f"{self.url}/api/v1{path}", timeout=seconds) as answer:
                return answer.status, json.load(answer)
        except urllib.error.HTTPError as error:
            with error:
                return error.code, json.load(error)

    def settled(self) -> int:
        """How many messages of the run are settled; 0 while nothing is known."""
        status, body = self.get("/executions/proof/monitor")
        return body["metrics"]["completed"] + body["metrics"]["failed"] if status == 200 else 0

    def wait_until_settled(self, messages: int, seconds: float = SECONDS) -> None:
        """Return when so many messages are settled."""
        until = time.monotonic() + seconds
        while self.settled() < messages:
            assert self.process.poll() is None, "the server has ended"
            assert time.monotonic() < until, f"{self.settled()} of {messages} messages are settled"
            time.sleep(0.05)


def _environment() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith("FACTFLOW_")}


@dataclass(frozen=True, slots=True, kw_only=True)
class Effects:
    """What the lives of a service have left: in the ledger, in storage, in lineage and in the world."""

    execution: Execution
    rows: dict[UUID, Row]
    objects: dict[str, bytes]
    recorded: Counter[str]
    lineage: Counter[UUID]


async def effects_of(place: Place, storage: Storage | None = None) -> Effects:
    """Read what is there, in the place's folder unless another storage is given; the run must have ended."""
    async with Database(place.database_url) as database:
        store = postgres_store(database)
        (execution,) = (await store.every_execution()).values()
        rows = dict(await store.rows())
        lineage = await _completed_entries(PostgresLineageReader(database), execution.id)
    async with storage or FilesystemObjectStorage(place.folder / "data" / "storage") as opened:
        objects = {one.key: await opened.read(one.key) async for one in opened.list("executions/")}
    recorded = Counter((place.folder / "record").read_text().split())
    return Effects(execution=execution, rows=rows, objects=objects, recorded=recorded, lineage=lineage)


async def _completed_entries(reader: PostgresLineageReader, execution_id: UUID) -> Counter[UUID]:
    """How many completed entries lineage has of each message."""
    found: Counter[UUID] = Counter()
    offset = 0
    while True:
        query = LineageQuery(
            execution_id=execution_id, status=StageStatus.COMPLETED, limit=1000, offset=offset
        )
        entries, _ = await reader.list(query)
        found.update(entry.message_id for entry in entries)
        if len(entries) < 1000:
            return found
        offset += 1000


def expected_messages(execution_id: UUID, fan: int) -> dict[UUID, tuple[str, str]]:
    """Route and path of every message that an undisturbed run has, by id."""
    init = init_message_id(execution_id)
    expected = {init: ("split", "root")}
    for number in range(fan):
        work = child_id(init, "work", f"#{number}")
        expected[work] = "work", str(number)
        for half in range(2):
            expected[child_id(work, "store", f"#{half}")] = "store", f"{number}.{half}"
    return expected


def assert_as_undisturbed(effects: Effects, fan: int, *, poison: str | None = None) -> None:
    """None lost, none doubled; with a poisoned message, it alone is dead and has no children."""
    expected = expected_messages(effects.execution.id, fan)
    lost = {f"{poison}.{half}" for half in range(2)}
    expected = {one: what for one, what in expected.items() if what[1] not in lost}
    assert {row.id: (row.route_id, row.payload["path"]) for row in effects.rows.values()} == expected
    not_done = {str(row.payload["path"]): row.state for row in effects.rows.values() if row.state != "done"}
    assert not_done == ({} if poison is None else {poison: "dead"})
    assert effects.execution.status == "completed"
    assert effects.execution.counts == counted(effects.rows).get(effects.execution.id, MessageCounts())
    assert effects.objects == {
        stage_key(effects.execution.id, route, stage, one, ".txt"): path.encode()
        for one, (route, path) in expected.items()
        for stage in {"work": ["worked"], "store": ["stored"]}.get(route, [])
        if path != poison
    }
    assert set(effects.recorded) == {path for route, path in expected.values() if route == "store"}
    # An attempt whose settlement was lost has an entry of its own, so there may be more than one.
    assert set(effects.lineage) == {one for one, (_, path) in expected.items() if path != poison}
