"""`factflow embedding`."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

import click

from domain.errors import Unavailable
from entrypoints.cli.client import Reply, Server
from entrypoints.cli.commands.progress import progress_shown
from entrypoints.cli.exit_codes import FAILED, OK
from entrypoints.cli.names import execution_id_of
from entrypoints.cli.paging import limit_option, offset_option, print_page
from entrypoints.cli.session import ClientGroup, Session, asks_server
from entrypoints.cli.tables import Column, print_record, print_table

WAIT_SECONDS = 24 * 3600.0
LOOK_SECONDS = 1.0
REQUEST_SECONDS = 60.0
UNDER_WAY = frozenset({"running", "interrupted"})

SLOTS = (
    Column("slot", "model_name"),
    Column("own", "is_own"),
    Column("searchable", "is_searchable"),
    Column("dimension", "dimension", is_number=True),
    Column("segments", "segments", is_number=True),
    Column("lacking", "segments_lacking", is_number=True),
    Column("size", "size_pretty"),
)


class StillEmbedding(Unavailable):
    """The run was not over in time; it goes on."""

    code = "still_embedding"


@click.group(cls=ClientGroup)
def embedding() -> None:
    """See and fill the embedding slots."""


@embedding.command()
@limit_option
@offset_option
@asks_server
async def slots(server: Server, session: Session, limit: int, offset: int) -> None:
    """List the slots, the server's own first."""
    reply = await server.get("embeddings", "slots", query={"limit": limit, "offset": offset})
    session.show(reply, lambda: print_page(SLOTS, reply, "slots", empty="no slots"))


@embedding.command()
@click.argument("slot")
@asks_server
async def get(server: Server, session: Session, slot: str) -> None:
    """Describe one slot: its model, and what it holds and lacks."""
    reply = await server.get("embeddings", "slots", slot)
    session.show(reply, lambda: print_record(list(reply.value().items())))


@embedding.command()
@asks_server
async def stats(server: Server, session: Session) -> None:
    """Count what is embedded."""
    reply = await server.get("embeddings", "stats")

    def as_table() -> None:
        value = reply.value()
        print_record([(name, value.get(name)) for name in ("segments", "vectors", "size_pretty")])
        click.echo()
        print_table(SLOTS, reply.items("slots"), empty="no slots")

    session.show(reply, as_table)


@embedding.command()
@click.argument("texts", nargs=-1, required=True, metavar="TEXT...")
@click.option("--slot", help="The slot whose model is asked; the server's own unless given.")
@asks_server
async def embed(server: Server, session: Session, texts: tuple[str, ...], slot: str | None) -> None:
    """Embed texts and print their vectors, one on a line."""
    reply = await server.post("embeddings", body={"texts": list(texts), "model_name": slot})

    def as_lines() -> None:
        for vector in reply.value().get("embeddings") or ():
            click.echo(" ".join(f"{number:.6g}" for number in vector))

    session.show(reply, as_lines)


@embedding.command()
@click.argument("slot")
@click.option("--origin", "origins", multiple=True, help="Only documents of this origin; may be repeated.")
@click.option("--no-wait", is_flag=True, help="Begin it and return at once.")
@asks_server
async def reembed(
    server: Server, session: Session, slot: str, origins: tuple[str, ...], *, no_wait: bool
) -> int:
    """Embed everything that is indexed and has no vector in SLOT yet.

    Waits until it is done, unless told not to: exit code 1 when something could not be embedded.
    The same command does the rest of a run that was interrupted.
    """
    reply = await server.post(
        "embeddings", "reembed", body={"model_name": slot, "origins": list(origins) or None}
    )
    if no_wait:
        session.show(reply, lambda: click.echo(str(reply.value().get("job_id"))))
        return OK
    reply = await _ended(server, session, reply)
    session.show(reply, lambda: _tell(reply.value()))
    value = reply.value()
    return OK if value.get("status") == "completed" and not value.get("failed") else FAILED


async def _ended(server: Server, session: Session, reply: Reply) -> Reply:
    # Here and not above, so that `--help` need not load it.
    import asyncio

    deadline = time.monotonic() + session.seconds(WAIT_SECONDS)
    server.timeout_seconds = REQUEST_SECONDS
    job_id = str(reply.value().get("job_id"))
    with progress_shown(is_quiet=session.is_for_programs, unit="segments embedded") as progress:
        while reply.value().get("status") in UNDER_WAY:
            progress.show(_as_counts(reply.value()))
            if time.monotonic() > deadline:
                raise StillEmbedding
            await asyncio.sleep(LOOK_SECONDS)
            try:
                reply = await server.get("embeddings", "reembed", job_id)
            except Unavailable as error:
                progress.say(error.message)
        progress.show(_as_counts(reply.value()))
    return reply


def _as_counts(run: Mapping[str, Any]) -> dict[str, Any]:
    total, embedded = int(run.get("total") or 0), int(run.get("embedded") or 0)
    counts = {"total": total, "outstanding": total - embedded, "dead": run.get("failed")}
    return {"status": run.get("status"), "messages": counts}


def _tell(run: Mapping[str, Any]) -> None:
    click.echo(f"{run.get('status')}: {run.get('embedded')} of {run.get('total')} segments embedded")
    if run.get("failed"):
        click.echo(f"factflow execution dead-letters {run.get('job_id')} tells what failed", err=True)
    if lacking := run.get("segments_lacking"):
        click.echo(f"{lacking} segments have no vector in {run.get('model_name')}", err=True)


@embedding.command()
@click.option("--document", metavar="ID", help="The vectors of this document.")
@click.option("--execution", metavar="ID", help="The vectors of what this execution indexed, by id or tag.")
@click.option("--slot", help="Only from this slot; from all unless given.")
@asks_server
async def delete(
    server: Server, session: Session, document: str | None, execution: str | None, slot: str | None
) -> None:
    """Take vectors out; the segments stay, and `reembed` makes their vectors again."""
    if (document is None) == (execution is None):
        raise click.UsageError("say either --document or --execution")
    if document is not None:
        path = ("documents", document)
    else:
        path = ("executions", str(await execution_id_of(server, execution)))
    reply = await server.send("DELETE", "embeddings", *path, query={"model_name": slot})
    session.show(reply, lambda: click.echo(f"{reply.value().get('removed')} vectors taken out"))


@embedding.command("drop-slot")
@click.argument("slot")
@asks_server
async def drop_slot(server: Server, session: Session, slot: str) -> None:
    """Drop a slot with all its vectors; its name is then free for another model."""
    reply = await server.send("DELETE", "embeddings", "slots", slot)
    session.show(reply, lambda: click.echo(f"{reply.value().get('removed')} vectors taken out"))
