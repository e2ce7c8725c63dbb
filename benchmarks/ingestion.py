"""Ingestion end to end against a bare loop that only embeds the same texts with the same model and threads."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

from adapters.models.minilm import MiniLmEmbeddingModel
from benchmarks import collection
from benchmarks.outcome import Figure, Outcome
from benchmarks.pipeline_run import through_pipeline
from benchmarks.printing import progress
from benchmarks.stack import Cost, settings

NAME = "ingestion"
MAX_RATIO = 1.15


def measure(*, count: int | None, rounds: int) -> Outcome:
    """Alternate the two, a fresh data folder for each ingestion; the figures are of medians."""
    chosen = collection.documents(count)
    with TemporaryDirectory(prefix="factflow-benchmark-") as place:
        folder = collection.write_files(chosen, Path(place) / "documents")
        return asyncio.run(_alternated(folder, Path(place), len(chosen), rounds))


async def _alternated(folder: Path, place: Path, documents: int, rounds: int) -> Outcome:
    pipeline: list[Cost] = []
    loop: list[Cost] = []
    texts: Sequence[str] = ()
    for number in range(1, rounds + 1):
        progress(f"{NAME}: round {number} of {rounds}, {documents} documents through the pipeline")
        # Not removed before the end: for some seconds a file system makes new files more slowly after many were deleted.
        cost, texts = await through_pipeline(folder, place / f"data-{number}", documents)
        pipeline.append(cost)
        progress(f"{NAME}: {cost.seconds:.1f} s; now the bare loop over {len(texts)} texts")
        loop.append(await _bare_loop(texts, place / "bare-loop"))
        progress(f"{NAME}: {loop[-1].seconds:.1f} s")
    return _outcome(pipeline, loop, documents, len(texts))


async def _bare_loop(texts: Sequence[str], data: Path) -> Cost:
    """All texts in one call: the model then sorts them all by length, and nothing can be quicker."""
    chosen = settings(data)
    model = MiniLmEmbeddingModel(
        data / "models", compute_type=chosen.model_compute_type, threads=chosen.model_threads
    )
    async with model:
        await model.embed(["warm up"])
        own, started = time.process_time(), time.perf_counter()
        await model.embed(texts)
        return Cost(seconds=time.perf_counter() - started, cpu=time.process_time() - own)


def _outcome(pipeline: Sequence[Cost], loop: Sequence[Cost], documents: int, texts: int) -> Outcome:
    seconds, bare = median(cost.seconds for cost in pipeline), median(cost.seconds for cost in loop)
    own, postgres = median(cost.cpu for cost in pipeline), median(cost.postgres_cpu for cost in pipeline)
    bare_cpu = median(cost.cpu for cost in loop)
    return Outcome(
        benchmark=NAME,
        columns=["round", "what", "seconds", "documents/s", "cpu s", "postgres cpu s"],
        rows=[
            row
            for number, costs in enumerate(zip(pipeline, loop, strict=True), start=1)
            for row in (
                _row(number, "pipeline", costs[0], documents),
                _row(number, "bare loop", costs[1], documents),
            )
        ],
        figures=[
            Figure(name="pipeline / bare loop", value=seconds / bare, unit="x", at_most=MAX_RATIO),
            Figure(name="pipeline", value=documents / seconds, unit="documents/s"),
            Figure(name="bare loop", value=documents / bare, unit="documents/s"),
            Figure(name="processor time, all / bare loop", value=(own + postgres) / bare_cpu, unit="x"),
            Figure(
                name="processor time beside embedding",
                value=(own + postgres - bare_cpu) / documents * 1000,
                unit="ms/document",
            ),
        ],
        notes=[f"{documents} documents, {texts} segments; figures are of the medians over rounds."],
    )


def _row(number: int, what: str, cost: Cost, documents: int) -> list[str | int | float]:
    return [number, what, cost.seconds, documents / cost.seconds, cost.cpu, cost.postgres_cpu]
