"""The lines between the processes and each service are late, cut, half open and slow: all of them get over it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import pytest

from adapters.postgres.database import SHORT_SECONDS
from tests.databases import own_database
from tests.proof.fleets import Fleet, fleet, settled_well
from tests.proof.links import Link
from tests.proof.proxies import Proxy, proxied
from tests.s3_service import S3Service, s3_service

__all__ = ["s3_service"]

pytestmark = pytest.mark.slow

FAN = 100
PACE = 0.5
DISTURBED_SECONDS = 6.0
QUICK_SECONDS = 2.0
LATENCY_SECONDS = 0.4
BYTES_PER_SECOND = 4_000
CUT_EVERY_SECONDS = 0.7


def late(link: Link) -> None:
    link.latency = LATENCY_SECONDS


def slow(link: Link) -> None:
    link.bytes_per_second = BYTES_PER_SECOND


def calm(link: Link) -> None:
    """What is as it should be again; what fell silent stays silent, and new connections are well."""
    link.latency, link.bytes_per_second, link.is_silent = 0.0, float("inf"), False


def disturb(proxy: Proxy, how: str, seconds: float) -> None:
    """Disturb the line for so long."""
    faults: dict[str, Callable[[Link], None]] = {
        "late": late,
        "slow": slow,
        "half open": Link.fall_silent,
        "cut": Link.cut,
    }
    proxy.disturb(faults[how])
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        time.sleep(CUT_EVERY_SECONDS)
        if how == "cut":
            proxy.disturb(Link.cut)
    proxy.disturb(calm)


SAMPLE = ("rabbitmq", "cut")
"""What always runs; the others run with the soak tests."""
BOUNDS = {
    ("postgres", "half open"): SHORT_SECONDS + 15,
    ("rabbitmq", "half open"): 40.0,
    ("s3", "half open"): 45.0,
}
"""Seconds within which the run ends once the line is well again; docs/explanation/delivery-guarantees.md has them."""
OTHERWISE = 20.0


@contextmanager
def distant(
    service: str, database: str, rabbitmq_url: str, s3: S3Service, folder: Path
) -> Iterator[tuple[Fleet, Proxy]]:
    """A fleet, and the proxy by which it reaches the service."""
    urls = {"postgres": database, "rabbitmq": rabbitmq_url, "s3": s3.url}
    with ExitStack() as stack:
        parts = urlsplit(urls[service])
        proxy = stack.enter_context(proxied(parts.port or 5672))
        user = parts.netloc.rpartition("@")[0]
        netloc = f"{user}@127.0.0.1:{proxy.port}" if user else f"127.0.0.1:{proxy.port}"
        urls[service] = urlunsplit(parts._replace(netloc=netloc))
        environment = {"FACTFLOW_DATABASE_URL": urls["postgres"], "FACTFLOW_QUEUE_URL": urls["rabbitmq"]}
        yield (
            stack.enter_context(fleet(folder, s3, environment, fan=FAN, pace=PACE, s3_url=urls["s3"])),
            proxy,
        )


@pytest.fixture
def database(external_postgres_url: str) -> Iterator[str]:
    """A migrated database of its own."""
    with own_database(external_postgres_url) as url:
        yield url


@pytest.mark.parametrize(
    ("service", "how"),
    [
        pytest.param(service, how, marks=[] if (service, how) == SAMPLE else [pytest.mark.soak])
        for service in ("postgres", "rabbitmq", "s3")
        for how in ("late", "cut", "half open", "slow")
    ],
)
def test_a_run_gets_over_a_disturbed_line(
    service: str,
    how: str,
    database: str,
    rabbitmq_url: str,
    s3_service: S3Service,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Without a restart of anybody, within a bound, and with the effects of an undisturbed run."""
    with distant(service, database, rabbitmq_url, s3_service, tmp_path) as (running, proxy):
        running.start()
        running.begin()
        running.wait_until_done(20)
        disturb(proxy, how, QUICK_SECONDS if (service, how) == SAMPLE else DISTURBED_SECONDS)
        seconds = running.wait_until_ended(BOUNDS.get((service, how), OTHERWISE))
        counted = settled_well(running)
        assert all(one.process.poll() is None for one in (running.server, *running.workers))
    with capsys.disabled():
        print(f"\n{service} {how}: ended {seconds:.1f} s after it was well; {counted}")  # noqa: T201 - see above
