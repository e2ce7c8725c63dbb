"""How many webhooks one worker delivers a second, whom a dead endpoint holds up, and what a claim costs when much waits."""

from __future__ import annotations

import asyncio
import json
import subprocess
import time
from collections.abc import Mapping, Sequence
from itertools import repeat
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from uuid import uuid4

from application.ports.webhook_sender import WebhookRequest
from application.webhooks.endpoint import CONCURRENCY
from application.webhooks.subscriptions import fresh_secret
from benchmarks import webhook_claims, webhook_neighbours
from benchmarks.outcome import Cell, Figure, NotMeasurable, Outcome
from benchmarks.peers_environment import peers_python
from benchmarks.printing import progress
from benchmarks.webhook_receiver import running_receiver
from benchmarks.webhook_stack import CLOCK, EVENT_TYPE, WebhookStack, webhook_stack
from domain.errors import FactflowError
from domain.webhooks.signature import signed_headers
from entrypoints.garbage import THRESHOLDS, rarely_collected

NAME = "webhooks"
DELIVERIES = 20_000
BYTES = 1_000
MIN_OF_BARE = 0.5
MIN_OF_HTTPX = 4.0
MAX_MOVED = 0.2
MAX_GROWTH = 1.5
PEERS = Path(__file__).with_name("webhook_peers.txt")
HTTPX = Path(__file__).with_name("webhook_httpx_peer.py")
WORKER, BARE, PEER = "worker", "bare loop, same client", "bare loop, httpx"


def measure(*, messages: int | None, rounds: int) -> Outcome:
    """The sides alternate over one receiver in a process of its own; figures are of medians. Raises NotMeasurable."""
    python = peers_python(PEERS, size="20 MB")
    try:
        with (
            TemporaryDirectory(prefix="factflow-benchmark-") as place,
            running_receiver() as url,
            rarely_collected(),
        ):
            return asyncio.run(_measured(Path(place), url, python, messages or DELIVERIES, rounds))
    except FactflowError as error:
        raise NotMeasurable(f"the embedded PostgreSQL does not do: {error.message} ({error.code})") from error


async def _measured(place: Path, url: str, python: Path, count: int, rounds: int) -> Outcome:
    rates: dict[str, list[float]] = {WORKER: [], BARE: [], PEER: []}
    busy: dict[str, list[float]] = {WORKER: [], BARE: []}
    p99s: dict[str, list[float]] = {webhook_neighbours.HEALTHY: [], webhook_neighbours.DISTURBED: []}
    async with webhook_stack(place) as stack:
        for number in range(1, rounds + 1):
            progress(f"{NAME}: round {number} of {rounds}, {count} deliveries")
            for side, run in ((BARE, _bare), (WORKER, _delivered)):
                began = time.process_time()
                rates[side].append(count / await run(stack, f"{url}/ok", count))
                busy[side].append(1_000_000 * (time.process_time() - began) / count)
            rates[PEER].append(count / await asyncio.to_thread(_httpx, python, f"{url}/ok", count))
            progress(", ".join(f"{side} {each[-1]:.0f} a second" for side, each in rates.items()))
        for number in range(1, rounds + 1):
            for side, found in p99s.items():
                progress(f"{NAME}: {side}, round {number} of {rounds}")
                found.append(await webhook_neighbours.p99(stack, url, side))
        progress(f"{NAME}: claims")
        claims = await webhook_claims.milliseconds(stack)
    return _outcome(rates, busy, p99s, claims)


async def _delivered(stack: WebhookStack, url: str, count: int) -> float:
    """Seconds in which one worker delivers so many, with an attempt of each in the database at the end."""
    await stack.emptied()
    await stack.pending(await stack.subscribed(url), count, "x" * BYTES)
    started = time.perf_counter()
    async with stack.worker():
        await stack.settled()
    return time.perf_counter() - started


async def _bare(stack: WebhookStack, url: str, count: int) -> float:
    """Seconds in which the same client sends so many, each signed, with as many under way, and nothing written down."""
    body, secret, left = b"x" * BYTES, fresh_secret(), iter(repeat(None, count))

    async def send() -> None:
        for _ in left:
            signed = signed_headers(
                [secret], delivery_id=str(uuid4()), event_type=EVENT_TYPE, body=body, at=CLOCK.now()
            )
            headers = {"Content-Type": "application/json", **signed}
            answer = await stack.sender.send(
                WebhookRequest(url=url, headers=headers, body=body, timeout_seconds=15.0)
            )
            if answer.status != 200:
                raise NotMeasurable(f"the receiver answers {answer.status}, {answer.detail}")

    started = time.perf_counter()
    await asyncio.gather(*(send() for _ in range(CONCURRENCY)))
    return time.perf_counter() - started


def _httpx(python: Path, url: str, count: int) -> float:
    arguments = [url, *map(str, (count, CONCURRENCY, BYTES, *THRESHOLDS))]
    done = subprocess.run([python, HTTPX, *arguments], capture_output=True, check=False, text=True)  # noqa: S603 - our own script
    if done.returncode:
        raise NotMeasurable(f"httpx did not run: {done.stderr[-1000:]}")
    return float(json.loads(done.stdout.splitlines()[-1])["seconds"])


def _outcome(
    rates: Mapping[str, Sequence[float]],
    busy: Mapping[str, Sequence[float]],
    p99s: Mapping[str, Sequence[float]],
    claims: webhook_claims.Claims,
) -> Outcome:
    rate = {side: median(each) for side, each in rates.items()}
    healthy, disturbed = (median(each) for each in p99s.values())
    rows: list[Sequence[Cell]] = [
        [side, number, one, unit]
        for group, unit in ((rates, "a second"), (p99s, "ms, p99"), (claims, "ms, median"))
        for side, each in group.items()
        for number, one in enumerate(each, start=1)
    ]
    few, many, early, late = (median(each) for each in claims.values())
    return Outcome(
        benchmark=NAME,
        columns=["side", "run", "value", "of"],
        rows=rows,
        figures=[
            Figure(name=f"{WORKER} / {BARE}", value=rate[WORKER] / rate[BARE], unit="", at_least=MIN_OF_BARE),
            Figure(
                name=f"{WORKER} / {PEER}", value=rate[WORKER] / rate[PEER], unit="", at_least=MIN_OF_HTTPX
            ),
            *(Figure(name=side, value=one, unit="deliveries a second") for side, one in rate.items()),
            *(
                Figure(name=f"processor time, {side}", value=median(each), unit="µs a delivery")
                for side, each in busy.items()
            ),
            Figure(name=f"p99, {webhook_neighbours.HEALTHY}", value=healthy, unit="ms"),
            Figure(name=f"p99, {webhook_neighbours.DISTURBED}", value=disturbed, unit="ms"),
            Figure(name="p99 moves by", value=disturbed / healthy - 1, unit="", at_most=MAX_MOVED),
            Figure(name="claim, 100,000 pending / 1,000", value=many / few, unit="", at_most=MAX_GROWTH),
            Figure(name="claim, end / beginning of 100,000", value=late / early, unit="", at_most=MAX_GROWTH),
        ],
        notes=[
            f"Bodies have about {BYTES} bytes; each side has {CONCURRENCY} requests under way.",
            "The worker claims, signs, sends and records every attempt in PostgreSQL; the loops write nothing down.",
            "All three look for cyclic garbage as rarely as a server does.",
        ],
    )
