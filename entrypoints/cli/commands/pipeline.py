"""`factflow pipeline`: the routes of pipelines that run."""

from __future__ import annotations

import click

from entrypoints.cli.client import Server
from entrypoints.cli.paging import limit_option, offset_option, print_page
from entrypoints.cli.session import ClientGroup, Session, asks_server
from entrypoints.cli.tables import Column, Row, moment, print_record


def _state(row: Row) -> object:
    work = row.get("work") or {}
    # What a person wants to know is why nothing happens, whoever is the cause.
    return (
        "breaker open"
        if row.get("state") == "running" and work.get("state") == "breaker"
        else row.get("state")
    )


def _at_work(row: Row) -> object:
    work = row.get("work")
    return f"{work.get('in_flight')}/{work.get('concurrency')}" if isinstance(work, dict) else None


ROUTES = (
    Column("route", "route_id"),
    Column("execution", lambda row: row.get("tag") or row.get("execution_id")),
    Column("state", _state),
    Column("since", lambda row: moment(row["paused_at"]) if row.get("paused_at") else None),
    Column("paused by", "paused_by"),
    Column("at work", _at_work, is_number=True),
)
route_argument = click.argument("route", metavar="ROUTE")
execution_option = click.option(
    "--execution", "execution", metavar="EXECUTION", help="Of this execution alone, by its id or tag."
)


@click.group(cls=ClientGroup)
def pipeline() -> None:
    """Pause and resume routes. ROUTE is a route's id in its pipeline config."""


@pipeline.command("list")
@execution_option
@limit_option
@offset_option
@asks_server
async def list_routes(
    server: Server, session: Session, execution: str | None, limit: int, offset: int
) -> None:
    """List the routes of executions that go on, and whether they are paused."""
    reply = await server.get("pipelines", query={"execution_id": execution, "limit": limit, "offset": offset})
    session.show(reply, lambda: print_page(ROUTES, reply, "pipelines", empty="no routes"))


@pipeline.command()
@route_argument
@click.option(
    "--latest",
    type=click.IntRange(0, 100),
    default=10,
    show_default=True,
    help="How many of the executions that began last to look at.",
)
@asks_server
async def stats(server: Server, session: Session, route: str, latest: int) -> None:
    """Show a route in figures, over the executions that go on and those that began last."""
    reply = await server.get("pipelines", route, "stats", query={"latest": latest})
    session.show(reply, lambda: print_record(list(reply.value().items())))


@pipeline.command()
@route_argument
@execution_option
@asks_server
async def pause(server: Server, session: Session, route: str, execution: str | None) -> None:
    """Let a route begin no more messages, in all executions and those to come unless one is named."""
    await _change(server, session, route, execution, "paused")


@pipeline.command()
@route_argument
@execution_option
@asks_server
async def resume(server: Server, session: Session, route: str, execution: str | None) -> None:
    """Lift the pause of a route, the one of all executions unless one is named."""
    await _change(server, session, route, execution, "running")


async def _change(server: Server, session: Session, route: str, execution: str | None, state: str) -> None:
    reply = await server.send(
        "PATCH", "pipelines", route, query={"execution_id": execution}, body={"state": state}
    )
    session.show(reply, lambda: click.echo(str(reply.value().get("message") or state)))
