"""Three routes over RabbitMQ, with ledger and lineage, against aio-pika and FastStream doing the same without either."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

from adapters.rabbitmq.message_queue import RabbitMessageQueue
from benchmarks import bare_broker
from benchmarks.message_stack import ROUTES, message_stack
from benchmarks.messages import BYTES
from benchmarks.outcome import Figure, NotMeasurable, Outcome
from benchmarks.peers_environment import peers_python
from benchmarks.printing import progress
from entrypoints.settings import Settings

NAME = "broker"
MIN_RATIO = 0.65
MESSAGES = 3_000
WARM_UP = 500
WORKERS = 256
PEERS = Path(__file__).with_name("broker_peers.txt")
FASTSTREAM = Path(__file__).with_name("faststream_peer.py")
ENGINE, BARE, FAST = "engine", "bare aio-pika", "FastStream"


def measure(*, messages: int | None, rounds: int) -> Outcome:
    """Alternate the three over one broker and quorum queues; the figures are of medians. Raises NotMeasurable."""
    url = Settings.read(os.environ).queue_url
    if url is None:
        raise NotMeasurable("set FACTFLOW_QUEUE_URL to a RabbitMQ broker that may be used for this")
    python = peers_python(PEERS, size="60 MB")
    with TemporaryDirectory(prefix="factflow-benchmark-") as place:
        return asyncio.run(_measured(Path(place) / "data", url, python, messages or MESSAGES, rounds))


async def _measured(data: Path, url: str, python: Path, messages: int, rounds: int) -> Outcome:
    seconds: dict[str, list[float]] = {ENGINE: [], BARE: [], FAST: []}
    queue = RabbitMessageQueue([url], queue_type="quorum")
    async with message_stack(data, workers=WORKERS, queue=queue) as stack:
        await stack.run(WARM_UP)
        await bare_broker.run(url, WARM_UP)
        for number in range(1, rounds + 1):
            progress(f"{NAME}: round {number} of {rounds}, {messages} messages")
            seconds[BARE].append(await bare_broker.run(url, messages))
            seconds[ENGINE].append((await stack.run(messages)).seconds)
            seconds[FAST].append(await asyncio.to_thread(_faststream, python, url, messages))
            progress(
                ", ".join(f"{side} {messages / each[-1]:.0f} a second" for side, each in seconds.items())
            )
    return _outcome(seconds, messages)


def _faststream(python: Path, url: str, messages: int) -> float:
    done = subprocess.run(  # noqa: S603 - our own script
        [python, FASTSTREAM, url, str(messages), str(BYTES)], capture_output=True, check=False, text=True
    )
    if done.returncode:
        raise NotMeasurable(f"FastStream did not run: {done.stderr[-1000:]}")
    return float(json.loads(done.stdout.splitlines()[-1])["seconds"])


def _outcome(seconds: Mapping[str, Sequence[float]], messages: int) -> Outcome:
    rates = {side: messages / median(each) for side, each in seconds.items()}
    return Outcome(
        benchmark=NAME,
        columns=["side", "run", "seconds", "messages/s"],
        rows=[
            [side, number, one, messages / one]
            for side, each in seconds.items()
            for number, one in enumerate(each, start=1)
        ],
        figures=[
            Figure(name=f"{ENGINE} / {BARE}", value=rates[ENGINE] / rates[BARE], unit="", at_least=MIN_RATIO),
            Figure(name=f"{ENGINE} / {FAST}", value=rates[ENGINE] / rates[FAST], unit="", at_least=1.0),
            *(Figure(name=side, value=rate, unit="messages a second") for side, rate in rates.items()),
        ],
        notes=[
            f"Messages have {BYTES} bytes and pass {ROUTES} quorum queues in one process.",
            f"The peers confirm every publish and acknowledge every message, {bare_broker.IN_FLIGHT} at a time.",
            "The engine keeps payloads in its ledger, so its queues carry addresses.",
        ],
    )
