"""`factflow key`: API keys."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import click

from entrypoints.cli.client import Server
from entrypoints.cli.durations import Duration
from entrypoints.cli.paging import limit_option, offset_option, print_page
from entrypoints.cli.session import ClientGroup, Session, asks_server
from entrypoints.cli.tables import Column, moment, print_record

KEYS = (
    Column("key", "id"),
    Column("name", "name"),
    Column("begins", "hint"),
    Column("scopes", "scopes"),
    Column("state", "state"),
    Column("last used", lambda row: moment(row["last_used_at"]) if row.get("last_used_at") else None),
)
key_argument = click.argument("key_id", metavar="KEY_ID")


@click.group(cls=ClientGroup)
def key() -> None:
    """Make API keys and look after them. KEY_ID is a key's id, never the key itself."""


@key.command()
@click.argument("name")
@click.option(
    "--scope",
    "scopes",
    multiple=True,
    required=True,
    metavar="TAG:ACTION",
    help="What it allows: a tag or *, and read or write; may be repeated.",
)
@click.option("--expires-in", type=Duration(), help="How long it lasts, such as 90d. [default: for ever]")
@click.option("--rate", "requests_per_minute", type=int, help="So many requests a minute at most.")
@asks_server
async def create(
    server: Server,
    session: Session,
    name: str,
    scopes: tuple[str, ...],
    expires_in: float | None,
    requests_per_minute: int | None,
) -> None:
    """Make a key called NAME; it is shown once."""
    until = None if expires_in is None else datetime.now(UTC) + timedelta(seconds=expires_in)
    body = {
        "name": name,
        "scopes": list(scopes),
        "expires_at": until and until.isoformat(),
        "requests_per_minute": requests_per_minute,
    }
    reply = await server.post("keys", body={name: value for name, value in body.items() if value is not None})
    session.show(reply, lambda: _print_secret(reply.value()))


@key.command("list")
@limit_option
@offset_option
@asks_server
async def list_keys(server: Server, session: Session, limit: int, offset: int) -> None:
    """List the keys, the latest first."""
    reply = await server.get("keys", query={"limit": limit, "offset": offset})
    session.show(reply, lambda: print_page(KEYS, reply, "keys", empty="no keys"))


@key.command()
@key_argument
@asks_server
async def get(server: Server, session: Session, key_id: str) -> None:
    """Show a key: what it allows, how it stands, when it was last used."""
    reply = await server.get("keys", key_id)
    session.show(reply, lambda: print_record(list(reply.value().items())))


@key.command("self")
@asks_server
async def own(server: Server, session: Session) -> None:
    """Tell who you are to the server, and what you may do."""
    reply = await server.get("keys", "self")
    session.show(reply, lambda: print_record(list(reply.value().items())))


@key.command()
@key_argument
@click.option(
    "--keep-old",
    type=Duration(),
    default="1d",
    show_default=True,
    help="How long the old text opens as well.",
)
@click.option("--drop-old", is_flag=True, help="Let the old text end at once.")
@asks_server
async def rotate(
    server: Server,
    session: Session,
    key_id: str,
    keep_old: float,
    drop_old: bool,  # noqa: FBT001  # click calls it so
) -> None:
    """Give a key a new text, which is shown once; id and scopes stay."""
    reply = await server.post(
        "keys", key_id, "rotate", body={"keep_old_seconds": 0 if drop_old else keep_old}
    )
    session.show(reply, lambda: _print_secret(reply.value()))


@key.command()
@key_argument
@asks_server
async def revoke(server: Server, session: Session, key_id: str) -> None:
    """Let a key open nothing any more, for good."""
    await server.send("DELETE", "keys", key_id)
    if not session.is_for_programs:
        click.echo(f"revoked {key_id}")


def _print_secret(value: dict[str, Any]) -> None:
    names = ("id", "name", "scopes", "expires_at", "old_until", "key")
    print_record([(name, value.get(name)) for name in names])
    click.echo("the key is shown this once: keep it where whoever uses it finds it", err=True)
