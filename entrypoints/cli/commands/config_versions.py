"""`factflow config`: versions, graph, and taking a config into use again."""

from __future__ import annotations

from typing import Any

import click

from entrypoints.cli.client import Server
from entrypoints.cli.names import config_id_of
from entrypoints.cli.paging import limit_option, offset_option, print_page
from entrypoints.cli.session import ClientCommand, Session, asks_server
from entrypoints.cli.streams import harmless
from entrypoints.cli.tables import Column, moment, print_table

VERSIONS = (
    Column("version", "version", is_number=True),
    Column("name", "name"),
    Column("stored", lambda row: moment(row.get("created_at"))),
    Column("hash", lambda row: str(row.get("config_hash"))[:12]),
)
EDGES = (Column("from", "from_route"), Column("to", "to_route"), Column("queue", "queue"))
version_type = click.IntRange(1, 10**9)
config_argument = click.argument("name", metavar="CONFIG")


@click.command(cls=ClientCommand)
@config_argument
@limit_option
@offset_option
@asks_server
async def versions(server: Server, session: Session, name: str, limit: int, offset: int) -> None:
    """List the versions of a config, the latest first."""
    query = {"limit": limit, "offset": offset}
    reply = await server.get("configs", await config_id_of(server, name), "versions", query=query)
    session.show(reply, lambda: print_page(VERSIONS, reply, "versions", empty="no versions"))


@click.command(cls=ClientCommand)
@config_argument
@click.argument("before", type=version_type)
@click.argument("after", type=version_type, required=False)
@asks_server
async def diff(server: Server, session: Session, name: str, before: int, after: int | None) -> None:
    """Show what changed from version BEFORE to AFTER, or to the latest."""
    query = {"from": before, "to": after}
    reply = await server.get("configs", await config_id_of(server, name), "versions", "compare", query=query)

    def as_text() -> None:
        value = reply.value()
        click.echo(harmless(str(value.get("diff", ""))), nl=False)
        click.echo(f"changed: {', '.join(value.get('changed_fields') or []) or 'nothing'}", err=True)

    session.show(reply, as_text)


@click.command(cls=ClientCommand)
@config_argument
@click.argument("version", type=version_type)
@asks_server
async def restore(server: Server, session: Session, name: str, version: int) -> None:
    """Store a new version of a config that says what VERSION said."""
    identifier = await config_id_of(server, name)
    reply = await server.post("configs", identifier, "versions", str(version), "restore")
    session.show(reply, lambda: click.echo(f"{identifier} is at version {reply.value().get('version')}"))


@click.command(cls=ClientCommand)
@click.argument("config_id", metavar="ID")
@asks_server
async def activate(server: Server, session: Session, config_id: str) -> None:
    """Take a deleted config into use again; it goes by its id."""
    reply = await server.post("configs", config_id, "activate")
    session.show(reply, lambda: click.echo(f"activated {harmless(str(reply.value().get('name')))}"))


@click.command(cls=ClientCommand)
@config_argument
@click.option("--version", type=version_type, help="A version. [default: the latest]")
@asks_server
async def dag(server: Server, session: Session, name: str, version: int | None) -> None:
    """Show how the routes of a config are joined."""
    identifier = await config_id_of(server, name)
    reply = await server.get("configs", identifier, "dag", query={"version": version})

    def as_table() -> None:
        nodes: list[dict[str, Any]] = reply.items("nodes")
        for node in nodes:
            adapters = " > ".join(map(str, node.get("adapters") or []))
            click.echo(harmless(f"{node.get('route_id')}: {adapters}"))
        print_table(EDGES, reply.items("edges"), empty="no route leads to another")

    session.show(reply, as_table)


VERSION_COMMANDS = (versions, diff, restore, activate, dag)
