"""Shows a run's progress: a bar on a terminal, a line now and then elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from domain.execution import Execution

if TYPE_CHECKING:
    from entrypoints.ingestion import Progress

SECONDS_BETWEEN_LINES = 5.0


@contextmanager
def shown(title: str) -> Iterator[Progress]:
    """Something to call with an execution as it stands, as often as one likes; writes to standard error."""
    if sys.stderr.isatty():
        with _bar(title) as report:
            yield report
    else:
        yield _lines(title)


@contextmanager
def _bar(title: str) -> Iterator[Progress]:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(title, total=None)

        def report(execution: Execution) -> None:
            counts = execution.counts
            bar.update(task, completed=counts.settled, total=max(counts.total, 1))

        yield report


def _lines(title: str) -> Progress:
    last = time.monotonic()

    def report(execution: Execution) -> None:
        nonlocal last
        if time.monotonic() - last >= SECONDS_BETWEEN_LINES:
            last = time.monotonic()
            counts = execution.counts
            print(f"{title}: {counts.settled} of {counts.total} messages", file=sys.stderr, flush=True)

    return report


@contextmanager
def counted(title: str) -> Iterator[Callable[[int, int], None]]:
    """Something to call with how many are done of how many; a bar on a terminal, nothing elsewhere."""
    if not sys.stderr.isatty():
        yield lambda _done, _total: None
        return
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(title, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)
