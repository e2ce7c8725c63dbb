"""Documents a second against Haystack 2 with sentence-transformers and pgvector."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

from adapters.embedded_postgres.server import EmbeddedPostgres
from adapters.models.package import installed_package
from adapters.models.tokenizer import MiniLmTokenizer
from benchmarks import collection
from benchmarks.outcome import Figure, NotMeasurable, Outcome
from benchmarks.peers_environment import peers_python
from benchmarks.pipeline_run import through_pipeline
from benchmarks.printing import progress
from benchmarks.stack import Cost, PostgresProcesses
from domain.errors import FactflowError

NAME = "peers"
DOCUMENTS = 300
MIN_RATIO = 1.7
SCRIPT = Path(__file__).with_name("haystack_peer.py")
OFFLINE = {"HF_HUB_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1", "HAYSTACK_TELEMETRY_ENABLED": "False"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One side's run over the documents: what it cost, how many texts it embedded, of how many word pieces."""

    cost: Cost
    segments: int
    tokens: int


def measure(*, count: int | None, rounds: int) -> Outcome:
    """Alternate Factflow and Haystack over the same files; each starts with an empty database and a warm model."""
    chosen = collection.documents(count or DOCUMENTS)
    python = peers_python()
    with TemporaryDirectory(prefix="factflow-benchmark-") as place:
        folder = collection.write_files(chosen, Path(place) / "documents")
        return asyncio.run(_alternated(folder, Path(place), python, len(chosen), rounds))


async def _alternated(folder: Path, place: Path, python: Path, documents: int, rounds: int) -> Outcome:
    ours: list[Run] = []
    theirs: list[Run] = []
    for number in range(1, rounds + 1):
        progress(f"{NAME}: round {number} of {rounds}, {documents} documents through Factflow")
        ours.append(await _factflow(folder, place / f"factflow-{number}", documents))
        progress(f"{NAME}: {ours[-1].cost.seconds:.1f} s; now Haystack")
        theirs.append(await _haystack(folder, place / f"haystack-{number}", python))
        progress(f"{NAME}: {theirs[-1].cost.seconds:.1f} s")
    return _outcome(ours, theirs, documents)


async def _factflow(folder: Path, data: Path, documents: int) -> Run:
    cost, texts = await through_pipeline(folder, data, documents)
    return Run(cost=cost, segments=len(texts), tokens=sum(map(len, MiniLmTokenizer().ids(texts))))


async def _haystack(folder: Path, data: Path, python: Path) -> Run:
    try:
        async with EmbeddedPostgres(data / "postgres") as postgres:
            processes = PostgresProcesses(data)
            before = processes.cpu()
            told = await asyncio.to_thread(_peer, [str(python), str(SCRIPT), str(folder), postgres.url])
            cost = Cost(seconds=told["seconds"], cpu=told["cpu"], postgres_cpu=processes.cpu() - before)
            return Run(cost=cost, segments=int(told["segments"]), tokens=int(told["tokens"]))
    except FactflowError as error:
        raise NotMeasurable(f"Haystack's database does not run: {error.message}") from error


def _peer(command: Sequence[str]) -> Mapping[str, float]:
    done = subprocess.run(  # noqa: S603 - our own script
        [*command, str(installed_package().folder)],
        env={**os.environ, **OFFLINE},
        capture_output=True,
        check=False,
    )
    if done.returncode:
        raise NotMeasurable(f"Haystack failed: {done.stderr.decode()[-1500:]}")
    told: Mapping[str, float] = json.loads(done.stdout.splitlines()[-1])
    return told


def _outcome(ours: Sequence[Run], theirs: Sequence[Run], documents: int) -> Outcome:
    seconds, peer = median(run.cost.seconds for run in ours), median(run.cost.seconds for run in theirs)
    return Outcome(
        benchmark=NAME,
        columns=[
            "round",
            "what",
            "seconds",
            "documents/s",
            "segments",
            "word pieces",
            "cpu s",
            "postgres cpu s",
        ],
        rows=[
            row
            for number, runs in enumerate(zip(ours, theirs, strict=True), start=1)
            for row in (
                _row(number, "Factflow", runs[0], documents),
                _row(number, "Haystack 2", runs[1], documents),
            )
        ],
        figures=[
            Figure(name="Factflow / Haystack 2", value=peer / seconds, unit="x", at_least=MIN_RATIO),
            Figure(name="Factflow", value=documents / seconds, unit="documents/s"),
            Figure(name="Haystack 2", value=documents / peer, unit="documents/s"),
        ],
        notes=["Each side cuts with its own defaults; loading the model is in no time given."],
    )


def _row(number: int, what: str, run: Run, documents: int) -> list[str | int | float]:
    cost = run.cost
    speed = documents / cost.seconds
    return [number, what, cost.seconds, speed, run.segments, run.tokens, cost.cpu, cost.postgres_cpu]
