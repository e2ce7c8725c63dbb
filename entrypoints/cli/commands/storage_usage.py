"""`factflow storage`: how much is stored, and where."""

from __future__ import annotations

import click

from entrypoints.cli.client import Server
from entrypoints.cli.session import ClientCommand, Session, asks_server
from entrypoints.cli.tables import Column, print_table

OBJECTS = Column("objects", "objects", is_number=True)
BYTES = Column("bytes", "total_bytes", is_number=True)


@click.command(cls=ClientCommand)
@click.argument("prefix", default="")
@asks_server
async def usage(server: Server, session: Session, prefix: str) -> None:
    """Show how much is stored under PREFIX, by what follows it."""
    reply = await server.get("storage", "usage", query={"prefix": prefix})
    columns = (Column("prefix", "prefix"), OBJECTS, BYTES)
    session.show(reply, lambda: print_table(columns, reply.items("groups"), empty="nothing is there"))


@click.command(cls=ClientCommand)
@click.argument("execution")
@asks_server
async def stages(server: Server, session: Session, execution: str) -> None:
    """List the stages at which an execution kept something."""
    reply = await server.get("storage", "executions", execution, "stages")
    columns = (Column("route", "route_id"), Column("stage", "stage"), OBJECTS, BYTES)
    session.show(reply, lambda: print_table(columns, reply.items("stages"), empty="it kept nothing"))
