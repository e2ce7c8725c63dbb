"""`factflow execution watch`: the routes of an execution and their counts, as they change."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Protocol

from domain.errors import Unavailable
from entrypoints.cli.commands.waiting import (
    REQUEST_SECONDS,
    TERMINAL,
    WAIT_SECONDS,
    listening,
    still_running,
    tell_end,
)
from entrypoints.cli.exit_codes import FAILED, OK
from entrypoints.cli.streams import one_line
from entrypoints.cli.tables import Column

if TYPE_CHECKING:
    from rich.console import RenderableType

    from entrypoints.cli.client import Reply, Server
    from entrypoints.cli.session import Session

Rows = Sequence[Mapping[str, Any]]


class View(Protocol):
    """Shows an execution and its routes."""

    def show(self, execution: Mapping[str, Any], routes: Rows) -> None:
        """How they stand now."""
        ...

    def say(self, text: str) -> None:
        """Something that a person who watches wants to know."""
        ...


async def watch(server: Server, session: Session, name: str, columns: Sequence[Column]) -> int:
    """Show an execution until it is over; returns its exit code. A restart of the server is waited out."""
    deadline = time.monotonic() + session.seconds(WAIT_SECONDS)
    server.timeout_seconds = min(REQUEST_SECONDS, session.seconds(WAIT_SECONDS))
    reply = await server.get("executions", name)
    with _view(columns, is_quiet=session.is_for_programs) as view:
        async with listening(server, name) as ear:
            while True:
                reply = await _shown(server, name, reply, view)
                if _status(reply) in TERMINAL:
                    break
                if time.monotonic() > deadline:
                    raise still_running(name, _status(reply))
                await ear.wait()
    session.show(reply, lambda: tell_end(reply.value()))
    return OK if _status(reply) == "completed" else FAILED


async def _shown(server: Server, name: str, before: Reply, view: View) -> Reply:
    try:
        reply = await server.get("executions", name)
        routes = (await server.get("executions", name, "routes")).items("routes")
    except Unavailable as error:
        view.say(error.message)
        return before
    view.show(reply.value(), routes)
    return reply


def _status(reply: Reply) -> str:
    return str(reply.value().get("status"))


@contextmanager
def _view(columns: Sequence[Column], *, is_quiet: bool) -> Iterator[View]:
    if is_quiet or not sys.stdout.isatty():
        yield Lines(is_quiet=is_quiet)
        return
    from rich.live import Live

    from entrypoints.cli.tables import terminal

    with Live(console=terminal(), auto_refresh=False, transient=True) as live:
        yield Table(live, columns)


class Table:
    """A table that is drawn anew in its place."""

    def __init__(self, live: Any, columns: Sequence[Column]) -> None:
        self._live = live
        self._columns = columns

    def show(self, execution: Mapping[str, Any], routes: Rows) -> None:
        """Draw it."""
        self._live.update(self._drawn(_summary(execution), routes), refresh=True)

    def say(self, text: str) -> None:
        """In the place of the table."""
        self._live.update(self._drawn(one_line(text), ()), refresh=True)

    def _drawn(self, heading: str, routes: Rows) -> RenderableType:
        from rich.console import Group
        from rich.table import Table as RichTable
        from rich.text import Text

        table = RichTable(box=None, pad_edge=False, header_style="bold")
        for column in self._columns:
            table.add_column(Text(column.heading), justify="right" if column.is_number else "left")
        for row in routes:
            table.add_row(*(Text(column.text(row)) for column in self._columns))
        return Group(Text(heading), table)


class Lines:
    """A line for each route whose counts have changed, and one for each new status."""

    def __init__(self, *, is_quiet: bool) -> None:
        self._is_quiet = is_quiet
        self._said: dict[str, str] = {}

    def show(self, execution: Mapping[str, Any], routes: Rows) -> None:
        """Write what is new."""
        for row in routes:
            name = str(row.get("route_id"))
            counts = ", ".join(f"{row.get(key) or 0} {key.replace('_', ' ')}" for key in COUNTS)
            self._write(name, f"{name}: {counts}")
        self._write("", str(execution.get("status")))

    def say(self, text: str) -> None:
        """Write it once until something else is said."""
        self._write("", text)

    def _write(self, about: str, text: str) -> None:
        if self._said.get(about) != text and not self._is_quiet:
            sys.stdout.write(one_line(text) + "\n")
            sys.stdout.flush()
        self._said[about] = text


COUNTS = ("total_messages", "completed", "failed", "in_progress")


def _summary(execution: Mapping[str, Any]) -> str:
    counts = execution.get("messages") or {}
    total = int(counts.get("total") or 0)
    settled = total - int(counts.get("outstanding") or 0)
    return one_line(f"{execution.get('status')}: {settled} of {total} messages settled")
