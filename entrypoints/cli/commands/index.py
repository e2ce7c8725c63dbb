"""`factflow index`."""

from __future__ import annotations

from functools import partial

import click

from entrypoints.cli.client import Server
from entrypoints.cli.paging import limit_option, offset_option, print_page
from entrypoints.cli.session import ClientGroup, Session, asks_server
from entrypoints.cli.tables import Column, print_record, print_table

INDEXES = (
    Column("index", "index_name"),
    Column("slot", "model_name"),
    Column("kind", "index_type"),
    Column("vectors", "row_count", is_number=True),
    Column("size", "size_pretty"),
    Column("scans", "scan_count", is_number=True),
    Column("usable", "is_usable"),
)
ADVICE = (
    Column("slot", "model_name"),
    Column("action", "action"),
    Column("kind", "index_type"),
    Column("done", "applied"),
    Column("why", "reason"),
)
BUILD_SECONDS = 86_400.0
"""An index over many millions of vectors takes hours."""
GOES_ON = "the server builds on; `factflow index list` shows the index when it is there"
waits_for_build = partial(asks_server, usual_seconds=BUILD_SECONDS, goes_on=GOES_ON)
name_argument = click.argument("name", metavar="INDEX")


@click.group(cls=ClientGroup)
def index() -> None:
    """Look after the approximate indexes over embedding slots."""


@index.command("list")
@limit_option
@offset_option
@asks_server
async def list_indexes(server: Server, session: Session, limit: int, offset: int) -> None:
    """List the indexes with their sizes and how often they were used."""
    reply = await server.get("indexes", query={"limit": limit, "offset": offset})
    session.show(reply, lambda: print_page(INDEXES, reply, "indexes", empty="no indexes"))


@index.command()
@name_argument
@asks_server
async def get(server: Server, session: Session, name: str) -> None:
    """Describe one index."""
    reply = await server.get("indexes", name)
    session.show(reply, lambda: print_record(list(reply.value().items())))


@index.command()
@click.argument("slot")
@click.option("--kind", type=click.Choice(["hnsw", "ivfflat"]), default="hnsw", show_default=True)
@click.option("-p", "--parameter", "parameters", multiple=True, metavar="NAME=NUMBER", help="Such as m=16.")
@waits_for_build
async def create(server: Server, session: Session, slot: str, kind: str, parameters: tuple[str, ...]) -> None:
    """Build an index for SLOT, and wait until it is built."""
    body = {"model_name": slot, "index_type": kind, "parameters": _numbers(parameters) or None}
    reply = await server.post("indexes", body=body)
    session.show(reply, lambda: print_record(list(reply.value().items())))


@index.command()
@name_argument
@waits_for_build
async def rebuild(server: Server, session: Session, name: str) -> None:
    """Build an index anew, and wait until it is built; the old one is used until then."""
    reply = await server.post("indexes", name, "rebuild")
    session.show(reply, lambda: print_record(list(reply.value().items())))


@index.command()
@name_argument
@asks_server
async def delete(server: Server, _session: Session, name: str) -> None:
    """Drop an index; its slot is then searched by comparing every vector."""
    await server.send("DELETE", "indexes", name)


@index.command()
@name_argument
@click.option(
    "--sample", type=click.IntRange(1, 500), default=50, show_default=True, help="Vectors to ask for."
)
@click.option("--limit", type=click.IntRange(1, 100), default=10, show_default=True, help="Nearest of each.")
@asks_server
async def recall(server: Server, session: Session, name: str, sample: int, limit: int) -> None:
    """Measure which share of the nearest vectors an index finds."""
    reply = await server.get("indexes", name, "recall", query={"sample": sample, "limit": limit})
    session.show(reply, lambda: print_record(list(reply.value().items())))


@index.command()
@asks_server
async def recommend(server: Server, session: Session) -> None:
    """Say which index each slot should have, and why."""
    reply = await server.get("indexes", "recommendations")
    session.show(reply, lambda: print_table(ADVICE, reply.items("recommendations"), empty="no slots"))


@index.command("auto-manage")
@click.option("--dry-run", is_flag=True, help="Say what would be done, and do nothing.")
@waits_for_build
async def auto_manage(server: Server, session: Session, *, dry_run: bool) -> None:
    """Give every slot the index that its size calls for."""
    reply = await server.post("indexes", "auto-manage", body={"dry_run": dry_run})
    session.show(reply, lambda: print_table(ADVICE, reply.items("results"), empty="no slots"))


def _numbers(parameters: tuple[str, ...]) -> dict[str, int]:
    numbers = {}
    for text in parameters:
        name, separator, value = text.partition("=")
        if not separator or not value.isdecimal() or not value.isascii() or len(value) > 9:
            raise click.UsageError(f"{text!r} is not NAME=NUMBER")
        numbers[name] = int(value)
    return numbers
