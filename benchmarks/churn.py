"""Many small executions one after another over RabbitMQ: whether any of them leaves something behind."""

from __future__ import annotations

import asyncio
import os
import stat
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import mean
from tempfile import TemporaryDirectory
from uuid import UUID

import aio_pika

from adapters.rabbitmq.message_queue import RabbitMessageQueue
from adapters.rabbitmq.names import amqp_name
from benchmarks.message_stack import ROUTES, Stack, message_stack
from benchmarks.outcome import Figure, NotMeasurable, Outcome
from benchmarks.printing import progress
from entrypoints.settings import Settings

NAME = "churn"
EXECUTIONS = 10_000
MESSAGES = 3
WARM_UP = 50
MAX_GROWTH = 1.1
SLICES = 10
DATABASE_POOL = 8
POLL_SECONDS = 0.002


def measure(*, executions: int | None) -> Outcome:
    """One execution after another; the figures compare the last tenth with the first. Raises NotMeasurable."""
    stated = Settings.read(os.environ)
    if stated.queue_url is None:
        raise NotMeasurable("set FACTFLOW_QUEUE_URL to a RabbitMQ broker that may be used for this")
    with TemporaryDirectory(prefix="factflow-benchmark-") as place:
        return asyncio.run(
            _measured(Path(place) / "data", stated.queue_url, stated.queue_type, executions or EXECUTIONS)
        )


async def _measured(data: Path, url: str, queue_type: str, executions: int) -> Outcome:
    queue = RabbitMessageQueue([url], queue_type="quorum" if queue_type == "quorum" else "classic")
    seconds: list[float] = []
    started: list[UUID] = []
    sockets = 0
    async with message_stack(data, workers=4, queue=queue) as stack:
        for _ in range(WARM_UP):
            await _one(stack)
        for number in range(executions):
            before = time.perf_counter()
            started.append(await _one(stack))
            seconds.append(time.perf_counter() - before)
            if number + 1 == (executions // SLICES or 1):
                sockets = open_sockets()
            if (number + 1) % (executions // SLICES or 1) == 0:
                progress(
                    f"{NAME}: {number + 1} of {executions} executions, the last took {seconds[-1] * 1000:.1f} ms"
                )
        left = await _queues_left(url, started)
        more = open_sockets() - sockets
    return _outcome(seconds, left, more)


def open_sockets() -> int:
    """How many sockets this process has."""
    return sum(_is_socket(int(entry.name)) for entry in Path("/dev/fd").iterdir())


def _is_socket(descriptor: int) -> bool:
    try:
        return stat.S_ISSOCK(os.fstat(descriptor).st_mode)
    except OSError:
        return False


async def _one(stack: Stack) -> UUID:
    execution_id = await stack.start(MESSAGES)
    while True:
        execution = await stack.application.executions.get(str(execution_id))
        if execution.status.is_terminal:
            return execution_id
        await asyncio.sleep(POLL_SECONDS)


async def _queues_left(url: str, started: Sequence[UUID]) -> int:
    """How many queues of the executions the broker still has, asked for by their names."""
    names = [
        amqp_name(f"exec:{one}:/queue/{queue}")
        for one in started
        for queue in ("source", *(f"route-{number + 1}" for number in range(ROUTES)))
    ]
    connection = await aio_pika.connect(url)
    left = 0
    async with connection:
        channel = await connection.channel()
        for name in names:
            try:
                await channel.declare_queue(name, passive=True)
            except aio_pika.exceptions.ChannelClosed:
                channel = await connection.channel()
            else:
                left += 1
    return left


def _outcome(seconds: Sequence[float], left: int, more: int) -> Outcome:
    size = len(seconds) // SLICES or 1
    slices = [seconds[start : start + size] for start in range(0, len(seconds), size)]
    return Outcome(
        benchmark=NAME,
        columns=["executions", "mean ms", "longest ms"],
        rows=[
            [f"{index * size + 1} to {index * size + len(each)}", mean(each) * 1000, max(each) * 1000]
            for index, each in enumerate(slices)
        ],
        figures=[
            Figure(
                name="last tenth / first tenth",
                value=mean(slices[-1]) / mean(slices[0]),
                unit="x",
                at_most=MAX_GROWTH,
            ),
            Figure(name="queues left over", value=float(left), unit="queues", at_most=0),
            Figure(name="connections left over", value=float(more), unit="sockets", at_most=DATABASE_POOL),
        ],
        notes=[f"Each execution has four queues and {1 + ROUTES * MESSAGES} messages."],
    )
