"""Settings that hold for all tests: what was left out is said, and never passed over in silence."""

from collections import Counter

import pytest

from tests.databases import database, postgres_url
from tests.rabbitmq_service import rabbitmq_url
from tests.services import WANT

__all__ = ["database", "postgres_url", "rabbitmq_url"]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say in one line each what was left out, and how to include it."""
    wanting: Counter[str] = Counter()
    for report in terminalreporter.stats.get("skipped", []):
        reason = str(report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longrepr)
        reason = reason.removeprefix("Skipped: ")
        if reason.startswith(WANT):
            wanting[reason] += 1
    for reason, count in sorted(wanting.items()):
        terminalreporter.write_line(f"left out: {count} test(s) {reason}", yellow=True)
    expression = terminalreporter.config.getoption("markexpr")
    if expression and (deselected := terminalreporter.stats.get("deselected")):
        how = "`make test-soak` runs everything"
        if "slow" in expression:
            how = "`make test` runs the slow ones, " + how
        terminalreporter.write_line(
            f"left out: {len(deselected)} test(s) by `{expression}`; {how}", yellow=True
        )
