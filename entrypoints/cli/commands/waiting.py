"""Waits for an execution's end: woken by its events, and asking by itself where there are none."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

import click

from domain.errors import FactflowError, Unavailable
from entrypoints.cli.client import Reply, Server
from entrypoints.cli.commands.progress import Progress, progress_shown
from entrypoints.cli.exit_codes import FAILED, OK
from entrypoints.cli.session import Session

WAIT_SECONDS = 3600.0
QUIET_SECONDS = 5.0
DEAF_SECONDS = 1.0
LEAST_SECONDS = 0.25
REQUEST_SECONDS = 30.0
STREAM_SECONDS = 3600
TERMINAL = frozenset({"completed", "failed", "cancelled"})


class StillRunning(Unavailable):
    """The execution was not over in time; it goes on."""

    code = "still_running"


class Ear:
    """Tells when something happened to an execution, as long as its event stream can be heard."""

    def __init__(self) -> None:
        self._happened = asyncio.Event()
        self._hears = False

    async def listen(self, server: Server, execution_id: str) -> None:
        """Follow the stream for ever; a server that restarts or has no stream is asked again later."""
        while True:
            with suppress(FactflowError):
                async with server.events(
                    "GET", "executions", execution_id, "events", query={"timeout": STREAM_SECONDS}
                ) as events:
                    self._hears = True
                    async for _ in events:
                        self._happened.set()
            self._hears = False
            self._happened.set()
            await asyncio.sleep(DEAF_SECONDS)

    async def wait(self) -> None:
        """Until something happened, or for as long as one may go without asking."""
        await asyncio.sleep(LEAST_SECONDS)
        with suppress(TimeoutError):
            async with asyncio.timeout(QUIET_SECONDS if self._hears else DEAF_SECONDS):
                await self._happened.wait()
        self._happened.clear()


async def wait_until_over(server: Server, session: Session, execution_id: str, *, seconds: float) -> int:
    """Show progress until the execution is over; returns the exit code. A restart of the server is waited out."""
    deadline = time.monotonic() + seconds
    server.timeout_seconds = min(REQUEST_SECONDS, seconds)
    reply = await server.get("executions", execution_id)
    try:
        with progress_shown(is_quiet=session.is_for_programs) as progress:
            reply = await _last(server, execution_id, reply, progress, deadline)
    except asyncio.CancelledError:
        click.echo(f"\nit goes on; factflow execution cancel {execution_id} stops it", err=True)
        raise
    session.show(reply, lambda: tell_end(reply.value()))
    return OK if _status(reply) == "completed" else FAILED


async def _last(
    server: Server, execution_id: str, reply: Reply, progress: Progress, deadline: float
) -> Reply:
    async with listening(server, execution_id) as ear:
        while _status(reply) not in TERMINAL:
            progress.show(reply.value())
            if time.monotonic() > deadline:
                raise still_running(execution_id, _status(reply))
            await ear.wait()
            reply = await _asked(server, execution_id, reply, progress)
    progress.show(reply.value())
    return reply


@asynccontextmanager
async def listening(server: Server, execution_id: str) -> AsyncIterator[Ear]:
    """An ear for the execution's events while the block lasts."""
    ear = Ear()
    task = asyncio.create_task(ear.listen(server, execution_id))
    try:
        yield ear
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def _asked(server: Server, execution_id: str, before: Reply, progress: Progress) -> Reply:
    try:
        return await server.get("executions", execution_id)
    except Unavailable as error:
        progress.say(error.message)
        return before


def _status(reply: Reply) -> str:
    return str(reply.value().get("status"))


def still_running(execution_id: str, status: str = "running") -> StillRunning:
    """The execution was not over in time; says how to wait longer."""
    error = StillRunning(f"the execution was still {status} when the time was up; it goes on")
    error.add_note(f"factflow --timeout 4h execution wait {execution_id} waits longer")
    return error


def tell_end(execution: dict[str, Any]) -> None:
    """How an execution has ended, and where to look for what went wrong."""
    counts = execution.get("messages") or {}
    click.echo(
        f"{execution.get('status')}: {counts.get('done', 0)} done, {counts.get('skipped', 0)} skipped, "
        f"{counts.get('dead', 0)} dead"
    )
    reason = execution.get("error_info")
    if isinstance(reason, dict) and reason:
        click.echo(f"reason: {reason.get('message') or reason}", err=True)
    if counts.get("dead"):
        click.echo(f"factflow execution dead-letters {execution.get('id')} tells why", err=True)
