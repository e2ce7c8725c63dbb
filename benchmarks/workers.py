"""Two workers against one, on messages that cost 50 ms of processor time each."""

from __future__ import annotations

import asyncio
import os
import sys
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from uuid import UUID

from adapters.embedded_postgres.server import EmbeddedPostgres
from application.contents import Application
from benchmarks.busy_worker import BUSY_SECONDS, READY, sharing
from benchmarks.outcome import Figure, NotMeasurable, Outcome
from benchmarks.printing import progress
from domain.execution import ExecutionStatus
from entrypoints.settings import Settings

NAME = "workers"
MIN_RATIO = 1.7
MESSAGES = 200
WARM_UP = 20
POLL_SECONDS = 0.02

PIPELINE = """version: "1.0"
init_message: {route: source, payload: {}}
routes:
  source: {name: source, inbound: {queue: /queue/source}, adapters: [{type: source}], outbound: /queue/busy}
  busy: {name: busy, inbound: {queue: /queue/busy, concurrency: 2, prefetch: 2}, adapters: [{type: busy}]}
"""


def measure(*, messages: int | None, rounds: int) -> Outcome:
    """Alternate one worker and two; the figures are of medians. Raises NotMeasurable."""
    url = Settings.read(os.environ).queue_url
    if url is None:
        raise NotMeasurable("set FACTFLOW_QUEUE_URL to a RabbitMQ broker that may be used for this")
    with TemporaryDirectory(prefix="factflow-benchmark-") as place:
        return asyncio.run(_measured(Path(place), url, messages or MESSAGES, rounds))


async def _measured(place: Path, queue_url: str, messages: int, rounds: int) -> Outcome:
    seconds: dict[int, list[float]] = {1: [], 2: []}
    async with AsyncExitStack() as stack:
        postgres = await stack.enter_async_context(EmbeddedPostgres(place / "postgres"))
        shared = (postgres.url, queue_url, place / "data")
        application = await stack.enter_async_context(sharing(*shared, routes=False))
        config = (await application.configs.create(name="busy", yaml=PIPELINE)).config
        for number in range(1, rounds + 1):
            for workers, each in seconds.items():
                progress(f"{NAME}: round {number} of {rounds}, {workers} at work on {messages} messages")
                async with AsyncExitStack() as working:
                    for _ in range(workers):
                        await working.enter_async_context(_worker(shared))
                    await _timed(application, config.id, WARM_UP)
                    each.append(await _timed(application, config.id, messages))
    return _outcome(seconds, messages)


@asynccontextmanager
async def _worker(shared: tuple[str, str, Path]) -> AsyncIterator[None]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "benchmarks.busy_worker", *map(str, shared), stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    if (await process.stdout.readline()).decode().strip() != READY:
        raise NotMeasurable("a worker did not start")
    try:
        yield
    finally:
        process.terminate()
        await process.wait()


async def _timed(application: Application, config_id: UUID, messages: int) -> float:
    started = time.perf_counter()
    execution_id = (
        await application.executions.start(config_id, init_payload_overrides={"messages": messages})
    ).id
    while True:
        execution = await application.executions.get(str(execution_id))
        if execution.status.is_terminal:
            break
        await asyncio.sleep(POLL_SECONDS)
    if execution.status is not ExecutionStatus.COMPLETED or execution.counts.done != messages + 1:
        raise NotMeasurable(
            f"the run ended {execution.status.value} with {execution.counts.done} messages done"
        )
    return time.perf_counter() - started


def _outcome(seconds: Mapping[int, Sequence[float]], messages: int) -> Outcome:
    rates = {workers: messages / median(each) for workers, each in seconds.items()}
    return Outcome(
        benchmark=NAME,
        columns=["workers", "run", "seconds", "messages/s"],
        rows=[
            [workers, number, one, messages / one]
            for workers, each in seconds.items()
            for number, one in enumerate(each, start=1)
        ],
        figures=[
            Figure(name="two workers / one", value=rates[2] / rates[1], unit="x", at_least=MIN_RATIO),
            Figure(name="one worker", value=rates[1], unit="messages a second"),
            Figure(name="two workers", value=rates[2], unit="messages a second"),
        ],
        notes=[
            f"{messages} messages of {BUSY_SECONDS * 1000:.0f} ms of Python each, over RabbitMQ.",
            "A server without routes starts the runs.",
        ],
    )
