"""`factflow storage`."""

from __future__ import annotations

import contextlib
import mimetypes
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import click

from domain.errors import Invalid, Refused
from domain.storage import require_valid_key
from entrypoints.cli.client import Query, Server
from entrypoints.cli.names import execution_id_of
from entrypoints.cli.paging import limit_option, offset_option, print_page
from entrypoints.cli.session import ClientGroup, Session, asks_server
from entrypoints.cli.streams import harmless, write_bytes
from entrypoints.cli.tables import Column, moment, print_record
from entrypoints.cli.texts import opened

OBJECTS = (
    Column("key", "key"),
    Column("bytes", "size", is_number=True),
    Column("type", "content_type"),
    Column("modified", lambda row: moment(row.get("last_modified"))),
)
key_argument = click.argument("key")


class UnwritableFile(Invalid):
    """The file cannot be written."""

    code = "file_unwritable"


class BinaryOnTerminal(Refused):
    """The object is not text, and a terminal is no place for it."""

    code = "binary_on_terminal"


@click.group(cls=ClientGroup)
def storage() -> None:
    """Look at what the stages of executions produced."""


@storage.command()
@click.argument("prefix", default="")
@limit_option
@offset_option
@asks_server
async def browse(server: Server, session: Session, prefix: str, limit: int, offset: int) -> None:
    """List what is directly under PREFIX, as in a folder."""
    folder = prefix if not prefix or prefix.endswith("/") else prefix + "/"
    query: Query = {
        "prefix": folder,
        "delimiter": "/",
        "limit": limit,
        "offset": offset,
        "include_metadata": False,
    }
    reply = await server.get("storage", "objects", query=query)

    def as_table() -> None:
        below = reply.value().get("common_prefixes") or []
        for name in below:
            click.echo(harmless(str(name)))
        if reply.items("objects") or not below:
            print_page(OBJECTS, reply, "objects", empty="nothing is there")

    session.show(reply, as_table)


@storage.command("list")
@click.option("--execution", required=True, metavar="ID", help="The execution whose objects to list.")
@limit_option
@offset_option
@asks_server
async def list_objects(server: Server, session: Session, execution: str, limit: int, offset: int) -> None:
    """List every object of an execution, by id or tag."""
    identifier = await execution_id_of(server, execution)
    query: Query = {
        "prefix": f"executions/{identifier}/",
        "limit": limit,
        "offset": offset,
        "include_metadata": False,
    }
    reply = await server.get("storage", "objects", query=query)
    session.show(reply, lambda: print_page(OBJECTS, reply, "objects", empty="the execution stored nothing"))


@storage.command()
@key_argument
@click.option("-o", "file", metavar="FILE", help="Write it there instead of to standard output.")
@asks_server
async def get(server: Server, _session: Session, key: str, file: str | None) -> None:
    """Print an object."""
    async with server.download("storage", "objects", require_valid_key(key)) as (content_type, chunks):
        if file is not None:
            with _replaced(Path(file)) as target:
                async for chunk in chunks:
                    target.write(chunk)
            return
        is_text = content_type.startswith("text/") or content_type.endswith(("json", "xml", "yaml"))
        if sys.stdout.isatty() and not is_text:
            raise BinaryOnTerminal(f"the object is {content_type}: write it to a file with -o FILE")
        async for chunk in chunks:
            write_bytes(chunk)


@storage.command()
@key_argument
@asks_server
async def metadata(server: Server, session: Session, key: str) -> None:
    """Show what is known of an object."""
    reply = await server.get("storage", "objects", require_valid_key(key), "metadata")
    session.show(reply, lambda: print_record(list(reply.value().items())))


@storage.command()
@click.argument("file")
@key_argument
@click.option("--type", "content_type", metavar="TYPE", help="Its media type. [default: by the file's name]")
@asks_server
async def put(server: Server, session: Session, file: str, key: str, content_type: str | None) -> None:
    """Store FILE under KEY, which begins with uploads/."""
    kind = content_type or mimetypes.guess_type(file)[0] or "application/octet-stream"
    if not kind.isprintable() or not kind.isascii():
        raise Invalid(f"{kind!r} is no media type")
    with opened(Path(file)) as content:
        reply = await server.upload(
            "storage", "objects", require_valid_key(key), content=content, content_type=kind
        )
    session.show(reply, lambda: click.echo(harmless(key)))


@storage.command()
@key_argument
@asks_server
async def delete(server: Server, session: Session, key: str) -> None:
    """Delete an object whose KEY begins with uploads/; what executions kept is not deleted so."""
    await server.send("DELETE", "storage", "objects", require_valid_key(key))
    if not session.is_for_programs:
        click.echo(f"deleted {harmless(key)}")


@contextlib.contextmanager
def _replaced(path: Path) -> Iterator[IO[bytes]]:
    """A file to write that takes the path's place when all went well; a device or a pipe is written as it is."""
    target = path.resolve()
    try:
        if target.exists() and not target.is_file():
            with target.open("wb") as file:
                yield file
            return
        part = target.with_name(f".{target.name[:200]}.{os.getpid()}.part")
        try:
            with part.open("wb") as file:
                yield file
            part.replace(target)
        finally:
            part.unlink(missing_ok=True)
    except OSError as error:
        raise UnwritableFile(f"{path}: {error.strerror or error}") from error
