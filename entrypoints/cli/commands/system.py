"""`factflow system`."""

from __future__ import annotations

import click

from domain.errors import Unavailable
from entrypoints.cli.client import Server
from entrypoints.cli.durations import in_words
from entrypoints.cli.exit_codes import KINDS, OK
from entrypoints.cli.paging import limit_option, offset_option, print_page
from entrypoints.cli.session import ClientGroup, Session, asks_server
from entrypoints.cli.tables import Column, age, print_record, print_table

COMPONENTS = (Column("component", "name"), Column("status", "status"), Column("message", "message"))


@click.group(cls=ClientGroup)
def system() -> None:
    """Ask how the server is."""


@system.command()
@click.option("--debug", "debug", is_flag=True, help="With what each component tells besides.")
@asks_server
async def health(server: Server, session: Session, debug: bool) -> int:  # noqa: FBT001  # a flag of the command line
    """Show whether the server and what it depends on are well; exit code 7 when they are not."""
    reply = await server.get("system", "health", query={"debug": debug or None})
    report = reply.value()
    components = reply.items("components")

    def as_table() -> None:
        print_record(
            [("status", report.get("status")), ("up for", in_words(float(report.get("uptime_seconds") or 0)))]
        )
        click.echo()
        print_table(COMPONENTS, components, empty="no component is known")
        if debug and isinstance(report.get("debug"), dict):
            click.echo()
            print_record(sorted(report["debug"].items()))

    session.show(reply, as_table)
    return KINDS[Unavailable] if report.get("status") == "unhealthy" else OK


WORKERS = (
    Column("name", "name"),
    Column("host", "host"),
    Column("pid", "pid", is_number=True),
    Column("alive for", lambda row: age(row.get("since"))),
    Column("routes", "takes_messages"),
    Column("executions", lambda row: len(row.get("executions") or ()), is_number=True),
    Column("in hand", "in_hand", is_number=True),
)


@system.command()
@limit_option
@offset_option
@asks_server
async def workers(server: Server, session: Session, limit: int, offset: int) -> None:
    """List the servers and workers that are alive, and how much each has to do."""
    reply = await server.get("system", "workers", query={"limit": limit, "offset": offset})
    session.show(reply, lambda: print_page(WORKERS, reply, "workers", empty="no worker is alive"))
