"""Ingestion end to end against loops that only embed the same texts with the same model and threads."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

from adapters.models.minilm import MiniLmEmbeddingModel
from adapters.pipeline.embedding_generator import EmbeddingGeneratorConfig
from benchmarks import collection
from benchmarks.outcome import Figure, Outcome
from benchmarks.pipeline_run import through_pipeline
from benchmarks.printing import progress
from benchmarks.stack import Cost, settings

NAME = "ingestion"
MAX_RATIO = 1.15


PIPELINE, LOOP, ONE_CALL = "pipeline", "bare loop", "one call"
BATCH = EmbeddingGeneratorConfig().batch_size


def measure(*, count: int | None, rounds: int) -> Outcome:
    """Alternate them, a fresh data folder for each ingestion; the figures are of medians."""
    chosen = collection.documents(count)
    with TemporaryDirectory(prefix="factflow-benchmark-") as place:
        folder = collection.write_files(chosen, Path(place) / "documents")
        return asyncio.run(_alternated(folder, Path(place), len(chosen), rounds))


async def _alternated(folder: Path, place: Path, documents: int, rounds: int) -> Outcome:
    costs: dict[str, list[Cost]] = {PIPELINE: [], LOOP: [], ONE_CALL: []}
    texts: Sequence[str] = ()
    for number in range(1, rounds + 1):
        progress(f"{NAME}: round {number} of {rounds}, {documents} documents through the pipeline")
        # Not removed before the end: for some seconds a file system makes new files more slowly after many were deleted.
        cost, texts = await through_pipeline(folder, place / f"data-{number}", documents)
        costs[PIPELINE].append(cost)
        progress(f"{NAME}: {cost.seconds:.1f} s; now only embedding {len(texts)} texts")
        async with _model(place / "bare-loop") as model:
            costs[LOOP].append(await _timed(_bare_loop(model, texts)))
            costs[ONE_CALL].append(await _timed(model.embed(texts)))
        progress(
            f"{NAME}: {costs[LOOP][-1].seconds:.1f} s, and {costs[ONE_CALL][-1].seconds:.1f} s in one call"
        )
    return _outcome(costs, documents, len(texts))


@asynccontextmanager
async def _model(data: Path) -> AsyncIterator[MiniLmEmbeddingModel]:
    """The model as the pipeline has it, warm."""
    chosen = settings(data)
    async with MiniLmEmbeddingModel(
        data / "models", compute_type=chosen.model_compute_type, threads=chosen.model_threads
    ) as model:
        await model.embed(["warm up"])
        yield model


async def _bare_loop(model: MiniLmEmbeddingModel, texts: Sequence[str]) -> None:
    """What one would write: batch after batch, as large as the pipeline's, in the order of the documents."""
    for start in range(0, len(texts), BATCH):
        await model.embed(texts[start : start + BATCH])


async def _timed(work: Awaitable[object]) -> Cost:
    own, started = time.process_time(), time.perf_counter()
    await work
    return Cost(seconds=time.perf_counter() - started, cpu=time.process_time() - own)


def _outcome(costs: Mapping[str, Sequence[Cost]], documents: int, texts: int) -> Outcome:
    seconds = {what: median(cost.seconds for cost in each) for what, each in costs.items()}
    own = median(cost.cpu + cost.postgres_cpu for cost in costs[PIPELINE])
    least = min(median(cost.cpu for cost in costs[what]) for what in (LOOP, ONE_CALL))
    return Outcome(
        benchmark=NAME,
        columns=["round", "what", "seconds", "documents/s", "cpu s", "postgres cpu s"],
        rows=[
            _row(number, what, each[number - 1], documents)
            for number in range(1, len(costs[PIPELINE]) + 1)
            for what, each in costs.items()
        ],
        figures=[
            Figure(
                name="pipeline / bare loop",
                value=seconds[PIPELINE] / seconds[LOOP],
                unit="x",
                at_most=MAX_RATIO,
            ),
            Figure(name="pipeline / one call", value=seconds[PIPELINE] / seconds[ONE_CALL], unit="x"),
            *(
                Figure(name=what, value=documents / seconds[what], unit="documents/s")
                for what in (PIPELINE, LOOP, ONE_CALL)
            ),
            Figure(name="processor time, all / embedding", value=own / least, unit="x"),
            Figure(
                name="processor time beside embedding",
                value=(own - least) / documents * 1000,
                unit="ms/document",
            ),
        ],
        notes=[
            f"{documents} documents, {texts} segments; figures are of the medians over rounds.",
            f"The bare loop embeds batches of {BATCH} in the order of the documents, one after the other.",
            "One call gives the model all texts, and it sorts them by length; nothing can be quicker.",
            "Embedding is whichever of the two took less processor time.",
        ],
    )


def _row(number: int, what: str, cost: Cost, documents: int) -> list[str | int | float]:
    return [number, what, cost.seconds, documents / cost.seconds, cost.cpu, cost.postgres_cpu]
