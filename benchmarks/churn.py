"""Many small executions one after another over RabbitMQ: whether any of them leaves something behind."""

from __future__ import annotations

import asyncio
import os
import stat
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import mean, median
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
POLL_SECONDS = 0.01
"""Between two looks whether an execution has ended: what it takes is known to within so much, the same for all of them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Slice:
    """Executions one after another: the number of the first, the seconds of each, and what each cost on average.

    ``cpu`` holds milliseconds of processor time: of this process, and of PostgreSQL.
    """

    first: int
    seconds: Sequence[float]
    cpu: tuple[float, float]


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
    size = executions // SLICES or 1
    slices: list[Slice] = []
    started: list[UUID] = []
    sockets = 0
    async with message_stack(data, workers=4, queue=queue) as stack:
        for _ in range(WARM_UP):
            await _one(stack)
        while len(started) < executions:
            some, ids = await _slice(stack, len(started) + 1, min(size, executions - len(started)))
            slices.append(some)
            started += ids
            sockets = sockets or open_sockets()
            progress(
                f"{NAME}: {len(started)} of {executions} executions, {mean(some.seconds) * 1000:.1f} ms each, "
                f"{sum(some.cpu):.1f} ms of processor time"
            )
        left = await _queues_left(url, started)
        more = open_sockets() - sockets
    return _outcome(slices, left, more)


async def _slice(stack: Stack, first: int, executions: int) -> tuple[Slice, Sequence[UUID]]:
    """Run so many executions, the first of which has this number; returns what they cost, and their ids."""
    postgres, own = stack.postgres.cpu(), time.process_time()
    seconds: list[float] = []
    ids: list[UUID] = []
    for _ in range(executions):
        before = time.perf_counter()
        ids.append(await _one(stack))
        seconds.append(time.perf_counter() - before)
    spent = (time.process_time() - own, stack.postgres.cpu() - postgres)
    cpu = (spent[0] / executions * 1000, spent[1] / executions * 1000)
    return Slice(first=first, seconds=seconds, cpu=cpu), ids


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


def _outcome(slices: Sequence[Slice], left: int, more: int) -> Outcome:
    begin, end = slices[0], slices[-1]
    return Outcome(
        benchmark=NAME,
        columns=["executions", "mean ms", "median ms", "longest ms", "own ms", "PostgreSQL ms"],
        rows=[
            [
                f"{each.first} to {each.first + len(each.seconds) - 1}",
                *(taken(each.seconds) * 1000 for taken in (mean, median, max)),
                *each.cpu,
            ]
            for each in slices
        ],
        figures=[
            Figure(
                name="last tenth / first tenth",
                value=mean(end.seconds) / mean(begin.seconds),
                unit="x",
                at_most=MAX_GROWTH,
            ),
            Figure(name="the same, processor time", value=sum(end.cpu) / sum(begin.cpu), unit="x"),
            Figure(name="queues left over", value=float(left), unit="queues", at_most=0),
            Figure(name="connections left over", value=float(more), unit="sockets", at_most=DATABASE_POOL),
        ],
        notes=[
            f"Each execution has four queues and {1 + ROUTES * MESSAGES} messages.",
            "Processor time is that of this process and of PostgreSQL, for each execution.",
        ],
    )
