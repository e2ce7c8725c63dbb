"""`factflow storage watch`: the objects of an execution as they are stored."""

from __future__ import annotations

import json
import time

import click

from domain.errors import Unavailable
from entrypoints.cli.client import Query, Server
from entrypoints.cli.exit_codes import FAILED, OK
from entrypoints.cli.session import ClientCommand, Session, asks_server
from entrypoints.cli.streams import harmless


@click.command(cls=ClientCommand)
@click.option("--execution", required=True, metavar="ID", help="The execution, by id or tag.")
@click.option("--route", metavar="ROUTE", help="Only what this route stores.")
@asks_server
async def watch(server: Server, session: Session, execution: str, route: str | None) -> int:
    """Print the size and key of each object as it is stored, until the execution is over.

    Exit code 0 when it completed, 1 when it failed or was cancelled; what was stored before is not shown.
    """
    import asyncio

    from entrypoints.cli.commands.waiting import DEAF_SECONDS, WAIT_SECONDS, still_running

    deadline = time.monotonic() + session.seconds(WAIT_SECONDS)
    await server.get("executions", execution)  # an execution that is not there is no outage to wait out
    while True:
        try:
            status = await _printed(server, session, execution, route, deadline)
        except Unavailable as error:
            click.echo(f"{error.message}; what is stored meanwhile is not shown", err=True)
            await asyncio.sleep(DEAF_SECONDS)
            status = None
        if status is not None:
            return OK if status == "completed" else FAILED
        if time.monotonic() > deadline:
            raise still_running(execution)


async def _printed(
    server: Server, session: Session, execution: str, route: str | None, deadline: float
) -> str | None:
    """Print what one stream tells; returns the status with which the execution ended, if it did."""
    from entrypoints.cli.commands.waiting import STREAM_SECONDS, TERMINAL

    left = max(1, min(STREAM_SECONDS, round(deadline - time.monotonic())))
    query: Query = {"route_id": route, "timeout": left}
    async with server.events("GET", "executions", execution, "storage-stream", query=query) as events:
        async for event in events:
            told = event.value()
            if event.event == "error":
                raise Unavailable(str(told.get("detail")))
            if event.event == "object_created":
                _print(session, told)
            elif event.event == "status" and told.get("status") in TERMINAL:
                return str(told["status"])
    return None


def _print(session: Session, told: dict[str, object]) -> None:
    about = told.get("data")
    if session.is_for_programs:
        session.print_json(json.dumps(told).encode())
    elif isinstance(about, dict):
        click.echo(f"{about.get('size'):>10}  {harmless(str(about.get('key')))}")
