"""`factflow replay-batch`: the replays that were started."""

from __future__ import annotations

import click

from entrypoints.cli.client import Server
from entrypoints.cli.paging import limit_option, print_page
from entrypoints.cli.session import ClientGroup, Session, asks_server
from entrypoints.cli.tables import Column, age, print_record

BATCHES = (
    Column("batch", "replay_batch_id"),
    Column("execution", lambda row: row.get("tag") or row.get("execution_id")),
    Column("from", "from_stage"),
    Column("to", "to_route"),
    Column("found", "objects_found", is_number=True),
    Column("status", "status"),
    Column("age", lambda row: age(row.get("started_at")), is_number=True),
)


@click.group("replay-batch", cls=ClientGroup)
def replay_batch() -> None:
    """See the replays that were started; lineage entries name them as `replay_batch_id`."""


@replay_batch.command("list")
@click.option("--execution", metavar="EXECUTION", help="Only replays of this execution, by its id or tag.")
@click.option("--status", metavar="STATUS", help="Only those whose execution is of this status.")
@click.option("--cursor", metavar="CURSOR", help="Where an earlier page left off.")
@limit_option
@asks_server
async def list_batches(
    server: Server,
    session: Session,
    execution: str | None,
    status: str | None,
    cursor: str | None,
    limit: int,
) -> None:
    """List replays, the latest first."""
    query = {"from_execution_id": execution, "status": status, "cursor": cursor, "limit": limit}
    reply = await server.get("replay", "batches", query=query)
    session.show(reply, lambda: print_page(BATCHES, reply, "batches", empty="no replays"))


@replay_batch.command()
@click.argument("batch", metavar="BATCH")
@asks_server
async def get(server: Server, session: Session, batch: str) -> None:
    """Show a replay: what went where, and how its execution stands."""
    reply = await server.get("replay", "batches", batch)
    session.show(reply, lambda: print_record(list(reply.value().items())))
