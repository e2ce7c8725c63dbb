"""`factflow lineage`."""

from __future__ import annotations

from typing import Any

import click

from entrypoints.cli.client import Server
from entrypoints.cli.names import execution_id_of
from entrypoints.cli.paging import limit_option, offset_option, print_page
from entrypoints.cli.session import ClientGroup, Session, asks_server
from entrypoints.cli.tables import Column, Row, moment, print_record, print_table

STATUSES = ("pending", "initiated", "processing", "completed", "failed", "cancelled")


def _took(entry: Row) -> object:
    taken = entry.get("duration_ms")
    return None if taken is None else f"{float(taken):.1f}"


def _reason(entry: Row) -> object:
    error = entry.get("error_info")
    return (error.get("message") or error.get("code") or error) if isinstance(error, dict) else error


def _titled(entry: Row) -> object:
    metadata = entry.get("metadata")
    return (metadata.get("title") or metadata.get("url")) if isinstance(metadata, dict) else None


ENTRIES = (
    Column("correlation id", "correlation_id"),
    Column("route", "route_id"),
    Column("adapter", "adapter_name"),
    Column("status", "stage_status"),
    Column("ms", _took, is_number=True),
    Column("title", _titled),
)
FAILURES = (
    Column("correlation id", "correlation_id"),
    Column("execution", "execution_id"),
    Column("route", "route_id"),
    Column("adapter", "adapter_name"),
    Column("at", lambda entry: moment(entry.get("started_at"))),
    Column("reason", _reason),
)


@click.group(cls=ClientGroup)
def lineage() -> None:
    """See what happened to every message at every pipeline adapter."""


@lineage.command("list")
@click.option("--execution", metavar="ID", help="Of this execution only.")
@click.option("--route", metavar="ROUTE", help="Of this route only.")
@click.option("--status", type=click.Choice(STATUSES), help="Of this status only.")
@click.option("--adapter", metavar="TYPE", help="Of this pipeline adapter only.")
@limit_option
@offset_option
@asks_server
async def list_entries(server: Server, session: Session, /, **wanted: Any) -> None:
    """List lineage entries, the earliest first."""
    query = {
        "execution_id": await execution_id_of(server, wanted["execution"]),
        "route_id": wanted["route"],
        "status": wanted["status"],
        "adapter_name": wanted["adapter"],
        "limit": wanted["limit"],
        "offset": wanted["offset"],
    }
    reply = await server.get("lineage", query=query)
    session.show(reply, lambda: print_page(ENTRIES, reply, "entries", empty="no lineage entries"))


@lineage.command()
@click.argument("correlation_id")
@asks_server
async def get(server: Server, session: Session, correlation_id: str) -> None:
    """Show one entry with everything that is known of it."""
    reply = await server.get("lineage", correlation_id)
    session.show(reply, lambda: print_record(list(reply.value().items())))


@lineage.command()
@click.argument("correlation_id")
@asks_server
async def chain(server: Server, session: Session, correlation_id: str) -> None:
    """Show where an entry came from and what came from it, in the order of the flow."""
    reply = await server.get("lineage", correlation_id, "chain")

    def as_table() -> None:
        entry = reply.value().get("entry")
        related = [
            *({**one, "relation": "ancestor"} for one in reversed(reply.items("ancestors"))),
            *([{**entry, "relation": "itself"}] if isinstance(entry, dict) else []),
            *({**one, "relation": "descendant"} for one in reply.items("descendants")),
        ]
        print_table((Column("relation", "relation"), *ENTRIES), related, empty="no lineage entries")

    session.show(reply, as_table)


@lineage.command()
@click.argument("correlation_id")
@asks_server
async def children(server: Server, session: Session, correlation_id: str) -> None:
    """List the entries that came from this one directly."""
    reply = await server.get("lineage", correlation_id, "children")
    session.show(reply, lambda: print_table(ENTRIES, reply.items("entries"), empty="nothing came from it"))


@lineage.command()
@click.option("--execution", metavar="ID", help="Of this execution only.")
@limit_option
@offset_option
@asks_server
async def failures(server: Server, session: Session, execution: str | None, limit: int, offset: int) -> None:
    """List what failed, with the reasons."""
    identifier = await execution_id_of(server, execution)
    query = {"execution_id": identifier, "limit": limit, "offset": offset}
    reply = await server.get("lineage", "failures", query=query)
    session.show(reply, lambda: print_page(FAILURES, reply, "entries", empty="nothing failed"))
