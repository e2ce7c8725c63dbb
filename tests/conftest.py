"""Settings that hold for all tests: what was left out is said, and never passed over in silence."""

import zlib
from collections import Counter
from collections.abc import Generator, Iterator
from pathlib import Path

import pytest

from tests.databases import database, embedded_postgres_url, external_postgres_url, postgres_url
from tests.rabbitmq_service import rabbitmq_url
from tests.services import WANT
from tests.session import (
    left_out,
    pytest_collection_finish,
    pytest_configure,
    pytest_deselected,
    pytest_sessionfinish,
    pytest_testnodedown,
    pytest_xdist_auto_num_workers,
)

__all__ = [
    "database",
    "embedded_postgres_url",
    "external_postgres_url",
    "postgres_url",
    "pytest_collection_finish",
    "pytest_configure",
    "pytest_deselected",
    "pytest_sessionfinish",
    "pytest_testnodedown",
    "pytest_xdist_auto_num_workers",
    "rabbitmq_url",
]

ONE_IN = 12
"""Which part of the tests that run over PostgreSQL runs over an external one too, without being asked for all."""


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Of each suite that can run over an external PostgreSQL a sample always does, the rest only as soak."""
    sampled: set[Path] = set()
    for item in items:
        if item.get_closest_marker("external") is None or "contracts" not in item.path.parts:
            continue
        is_sample = item.path not in sampled or zlib.crc32(item.name.encode()) % ONE_IN == 0
        sampled.add(item.path)
        item.add_marker(pytest.mark.slow if is_sample else pytest.mark.soak)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> Generator[None, None, None]:
    """Say in one line each what was left out, and how to include it; after all that pytest says itself."""
    yield
    for line in told(terminalreporter):
        terminalreporter.write_line(f"left out: {line}", yellow=True)


def told(terminalreporter: pytest.TerminalReporter) -> Iterator[str]:
    """How many tests for want of what, and how many by which expression."""
    wanting: Counter[str] = Counter()
    for report in terminalreporter.stats.get("skipped", []):
        reason = str(report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longrepr)
        reason = reason.removeprefix("Skipped: ")
        if reason.startswith(WANT):
            wanting[reason] += 1
    for reason, many in sorted(wanting.items()):
        yield f"{many} test(s) {reason}"
    expression = terminalreporter.config.getoption("markexpr")
    if expression and (count := left_out(terminalreporter.config)):
        how = "`make test-soak` runs everything"
        if "slow" in expression:
            how = "`make test` runs the slow ones, " + how
        yield f"{count} test(s) by `{expression}`; {how}"
