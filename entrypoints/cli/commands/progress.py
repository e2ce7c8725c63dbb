"""How far an execution is: a bar on a terminal, now and then a line elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Protocol

from entrypoints.cli.streams import one_line

LINE_SECONDS = 10.0


class Progress(Protocol):
    """Shows an execution as it goes."""

    def show(self, execution: Mapping[str, Any]) -> None:
        """How it stands now."""
        ...

    def say(self, text: str) -> None:
        """Something a person waiting wants to know."""
        ...


@contextmanager
def progress_shown(*, is_quiet: bool, unit: str = "messages settled") -> Iterator[Progress]:
    """The progress that fits standard error; a program that reads JSON gets none but on a terminal.

    ``unit`` says what of is counted, and what has been done with it.
    """
    if not sys.stderr.isatty():
        yield Lines(is_quiet=is_quiet, unit=unit)
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn
    from rich.progress import Progress as RichProgress

    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    with RichProgress(*columns, console=Console(stderr=True, markup=False), transient=True) as bar:
        yield Bar(bar, bar.add_task("waiting", total=None))


class Bar:
    """A bar of settled messages; its end moves while messages fan out."""

    def __init__(self, bar: Any, task: Any) -> None:
        self._bar = bar
        self._task = task

    def show(self, execution: Mapping[str, Any]) -> None:
        """Move the bar."""
        total, settled, _ = _counts(execution)
        self._bar.update(
            self._task,
            description=one_line(str(execution.get("status"))),
            total=total or None,
            completed=settled,
        )

    def say(self, text: str) -> None:
        """In the place of the status."""
        self._bar.update(self._task, description=one_line(text))


class Lines:
    """A line when the status changes and every ten seconds."""

    def __init__(self, *, is_quiet: bool, unit: str) -> None:
        self._is_quiet = is_quiet
        self._unit = unit
        self._said = ""
        self._said_at = 0.0

    def show(self, execution: Mapping[str, Any]) -> None:
        """Say how it stands, if it is time to."""
        total, settled, dead = _counts(execution)
        status = str(execution.get("status"))
        if status != self._said or time.monotonic() - self._said_at > LINE_SECONDS:
            self._write(status, f"{status}: {settled} of {total} {self._unit}, {dead} dead")

    def say(self, text: str) -> None:
        """Say it once until something else is said."""
        if text != self._said:
            self._write(text, text)

    def _write(self, key: str, text: str) -> None:
        self._said, self._said_at = key, time.monotonic()
        if not self._is_quiet:
            sys.stderr.write(one_line(text) + "\n")
            sys.stderr.flush()


def _counts(execution: Mapping[str, Any]) -> tuple[int, int, int]:
    counts = execution.get("messages")
    if not isinstance(counts, dict):
        return 0, 0, 0
    total = int(counts.get("total") or 0)
    return total, total - int(counts.get("outstanding") or 0), int(counts.get("dead") or 0)
