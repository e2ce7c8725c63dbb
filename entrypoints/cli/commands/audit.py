"""`factflow audit`: who did what."""

from __future__ import annotations

import click

from entrypoints.cli.client import Server
from entrypoints.cli.paging import limit_option, offset_option, print_page
from entrypoints.cli.session import ClientGroup, Session, asks_server
from entrypoints.cli.tables import Column, moment

ENTRIES = (
    Column("at", lambda row: moment(row["at"])),
    Column("who", lambda row: row.get("name") or row.get("owner")),
    Column("operation", "operation"),
    Column("object", "object"),
    Column("outcome", "outcome"),
    Column("status", "status"),
    Column("request", "request_id"),
)


@click.group(cls=ClientGroup)
def audit() -> None:
    """Read who did what."""


@audit.command("list")
@click.option("--owner", help="Only of this principal, such as key:<id>.")
@click.option("--operation", help="Only of this operation, such as create_config.")
@click.option("--outcome", type=click.Choice(["done", "refused", "failed"]), help="Only with this outcome.")
@click.option("--since", metavar="MOMENT", help="Only from then on, in ISO 8601.")
@click.option("--until", metavar="MOMENT", help="Only from before then.")
@limit_option
@offset_option
@asks_server
async def list_entries(
    server: Server, session: Session, /, *, limit: int, offset: int, **wanted: str | None
) -> None:
    """List what was changed and what was refused, the latest first."""
    reply = await server.get("audit", query={"limit": limit, "offset": offset, **wanted})
    session.show(reply, lambda: print_page(ENTRIES, reply, "entries", empty="nothing was written yet"))
