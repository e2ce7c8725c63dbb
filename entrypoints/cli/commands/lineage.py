"""`factflow lineage`."""

from __future__ import annotations

from typing import Any

import click

from entrypoints.cli.client import Server
from entrypoints.cli.names import execution_id_of
from entrypoints.cli.paging import limit_option, offset_option, print_page
from entrypoints.cli.session import ClientGroup, Session, asks_server
from entrypoints.cli.streams import write_bytes
from entrypoints.cli.tables import Column, Row, moment, print_record, print_table

STATUSES = ("pending", "initiated", "processing", "completed", "failed", "cancelled")


def _milliseconds(taken: object) -> object:
    return f"{taken:.1f}" if isinstance(taken, int | float) else None


def _took(entry: Row) -> object:
    return _milliseconds(entry.get("duration_ms"))


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
GROUPS = (
    Column("count", "count", is_number=True),
    Column("adapter", "adapter_name"),
    Column("code", "error_code"),
    Column("message", "message"),
    Column("last", lambda group: moment(group.get("last_at"))),
    Column("an example", lambda group: next(iter(group.get("correlation_ids") or ()), None)),
)
STATS = (
    Column("route", "route_id"),
    Column("adapter", "adapter_name"),
    Column("count", "count", is_number=True),
    Column("completed", "completed", is_number=True),
    Column("failed", "failed", is_number=True),
    Column("p50 ms", lambda one: _milliseconds(one.get("p50_ms")), is_number=True),
    Column("p95 ms", lambda one: _milliseconds(one.get("p95_ms")), is_number=True),
    Column("p99 ms", lambda one: _milliseconds(one.get("p99_ms")), is_number=True),
)
of_execution = click.option(
    "--execution", required=True, metavar="ID", help="The execution, by its id or tag."
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
@click.argument("batch_id")
@limit_option
@offset_option
@asks_server
async def batch(server: Server, session: Session, batch_id: str, limit: int, offset: int) -> None:
    """List the entries of messages that were replayed together."""
    reply = await server.get("lineage", "batch", batch_id, query={"limit": limit, "offset": offset})
    session.show(reply, lambda: print_table(ENTRIES, reply.items("entries"), empty="no lineage entries"))


@lineage.command()
@click.argument("start")
@click.argument("end")
@asks_server
async def path(server: Server, session: Session, start: str, end: str) -> None:
    """Show the way from the entry START to the entry END, over what both came from."""
    reply = await server.get("lineage", "path", query={"from": start, "to": end})
    session.show(reply, lambda: print_table(ENTRIES, reply.items("entries"), empty="no lineage entries"))


@lineage.command()
@click.option("--execution", metavar="ID", help="Of this execution only.")
@click.option("--grouped", is_flag=True, help="Group what says the same but for names and numbers.")
@limit_option
@offset_option
@asks_server
async def failures(server: Server, session: Session, /, **wanted: Any) -> None:
    """List what failed, with the reasons."""
    query = {"execution_id": await execution_id_of(server, wanted["execution"]), "limit": wanted["limit"]}
    if wanted["grouped"]:
        reply = await server.get("lineage", "failures", "groups", query=query)
        session.show(reply, lambda: print_table(GROUPS, reply.items("groups"), empty="nothing failed"))
        return
    reply = await server.get("lineage", "failures", query={**query, "offset": wanted["offset"]})
    session.show(reply, lambda: print_page(FAILURES, reply, "entries", empty="nothing failed"))


@lineage.command()
@of_execution
@asks_server
async def stats(server: Server, session: Session, execution: str) -> None:
    """Show how often and how quickly each pipeline adapter did its work, and what lineage lacks."""
    reply = await server.get("lineage", "stats", query={"execution_id": execution})

    def as_table() -> None:
        print_table(STATS, reply.items("adapters"), empty="no lineage entries")
        gap = reply.value().get("gap") or {}
        if gap.get("missing"):
            told = f"lineage lacks {gap['missing']} of {gap['settled']} settled messages"
            click.echo(f"{told}; factflow lineage repair --execution {execution}", err=True)

    session.show(reply, as_table)


@lineage.command()
@of_execution
@asks_server
async def repair(server: Server, session: Session, execution: str) -> None:
    """Fill in what lineage lacks of an execution, as far as the ledger knows it."""
    reply = await server.post("lineage", "repair", query={"execution_id": execution})
    session.show(reply, lambda: print_record(list(reply.value().items())))


@lineage.command()
@of_execution
@asks_server
async def export(server: Server, _session: Session, execution: str) -> None:
    """Print an execution's lineage as OpenLineage 2-0-2 run events, one JSON object a line."""
    async with server.download("lineage", "export", query={"execution_id": execution}) as (_, chunks):
        async for chunk in chunks:
            write_bytes(chunk)
