"""`factflow document`."""

from __future__ import annotations

import click

from entrypoints.cli.client import Server
from entrypoints.cli.paging import limit_option, offset_option, print_page
from entrypoints.cli.session import ClientGroup, Session, asks_server
from entrypoints.cli.streams import harmless, write_bytes
from entrypoints.cli.tables import Column, moment, print_record

DOCUMENTS = (
    Column("document", "document_id"),
    Column("title", "title"),
    Column("origin", "origin"),
    Column("version", "version", is_number=True),
    Column("segments", "segments", is_number=True),
    Column("indexed", lambda row: moment(row.get("indexed_at"))),
)
SEGMENTS = (
    Column("number", "ordinal", is_number=True),
    Column("heading", lambda row: " > ".join(map(str, row.get("heading_path") or []))),
    Column("page", "page", is_number=True),
    Column("text", "text"),
)
PLACE = ("content", "documents")
document_argument = click.argument("document_id", metavar="DOCUMENT")


@click.group(cls=ClientGroup)
def document() -> None:
    """Look at the documents in the index, and take them out. DOCUMENT is a document's id."""


@document.command("list")
@click.option("--origin", metavar="ORIGIN", help="Only documents of this origin.")
@limit_option
@offset_option
@asks_server
async def list_documents(
    server: Server, session: Session, origin: str | None, limit: int, offset: int
) -> None:
    """List the documents, by id."""
    reply = await server.get(*PLACE, query={"origin": origin, "limit": limit, "offset": offset})
    session.show(reply, lambda: print_page(DOCUMENTS, reply, "documents", empty="no documents"))


@document.command()
@document_argument
@asks_server
async def get(server: Server, session: Session, document_id: str) -> None:
    """Show what is known of a document."""
    reply = await server.get(*PLACE, document_id)
    session.show(reply, lambda: print_record(list(reply.value().items())))


@document.command()
@document_argument
@asks_server
async def text(server: Server, _session: Session, document_id: str) -> None:
    """Print a document as Markdown."""
    async with server.download(*PLACE, document_id, "text") as (_, chunks):
        async for chunk in chunks:
            write_bytes(chunk)


@document.command()
@document_argument
@limit_option
@offset_option
@asks_server
async def segments(server: Server, session: Session, document_id: str, limit: int, offset: int) -> None:
    """List a document's segments, as they follow each other."""
    reply = await server.get(*PLACE, document_id, "segments", query={"limit": limit, "offset": offset})
    session.show(reply, lambda: print_page(SEGMENTS, reply, "segments", empty="no segments"))


@document.command()
@document_argument
@asks_server
async def delete(server: Server, _session: Session, document_id: str) -> None:
    """Take a document out of the index, with its segments and embeddings."""
    await server.send("DELETE", *PLACE, document_id)
    click.echo(f"document {harmless(document_id)} is not in the index any more")
