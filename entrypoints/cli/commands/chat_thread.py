"""`factflow chat thread`: conversations that the server keeps."""

from __future__ import annotations

import sys
from typing import Any

import click

from entrypoints.cli.citations import citation_lines
from entrypoints.cli.client import Reply, Server
from entrypoints.cli.paging import limit_option
from entrypoints.cli.session import ClientGroup, Session, asks_server
from entrypoints.cli.streams import harmless, one_line
from entrypoints.cli.tables import Column, moment, print_record, print_table

THREADS = (
    Column("thread", "id"),
    Column("title", "title"),
    Column("messages", "message_count", is_number=True),
    Column("last said", lambda row: moment(row.get("updated_at"))),
)
FOUND = (
    Column("thread", "thread_id"),
    Column("title", "title"),
    Column("who", "role"),
    Column("text", "excerpt"),
)
thread_argument = click.argument("thread_id", metavar="THREAD")
cursor_option = click.option("--cursor", metavar="CURSOR", help="Go on after the page that told this.")
transient_option = click.option(
    "--transient",
    "is_transient",
    is_flag=True,
    help="Threads in the server's memory, and not those it keeps.",
)


@click.group(cls=ClientGroup)
def thread() -> None:
    """Conversations that the server keeps. THREAD is the id of one; `factflow chat --thread` asks in it."""


@thread.command("list")
@limit_option
@cursor_option
@transient_option
@asks_server
async def list_threads(server: Server, session: Session, /, **query: Any) -> None:
    """List your threads, the latest changed first."""
    reply = await server.get("chat", "threads", query=_stated(query))
    session.show(reply, lambda: _print_page(THREADS, reply, "threads", empty="there are no threads"))


@thread.command()
@thread_argument
@limit_option
@cursor_option
@click.option("--leaf", metavar="MESSAGE", help="Show the branch that ends with this message.")
@asks_server
async def show(server: Server, session: Session, /, *, thread_id: str, **query: Any) -> None:
    """Show what was said in a thread, with the sources of its answers."""
    reply = await server.get("chat", "threads", thread_id, "messages", query=_stated(query))
    session.show(reply, lambda: _print_messages(reply))


@thread.command()
@thread_argument
@click.argument("title")
@asks_server
async def rename(server: Server, session: Session, thread_id: str, title: str) -> None:
    """Give a thread another title."""
    reply = await server.send("PATCH", "chat", "threads", thread_id, body={"title": title})
    session.show(reply, lambda: print_record(list(reply.value().items())))


@thread.command()
@thread_argument
@asks_server
async def delete(server: Server, session: Session, thread_id: str) -> None:
    """Delete a thread with all that was said in it, for good."""
    del session
    await server.send("DELETE", "chat", "threads", thread_id)
    click.echo(f"thread {thread_id} is deleted", err=True)


@thread.command()
@click.argument("words", nargs=-1, required=True, metavar="WORDS")
@limit_option
@cursor_option
@transient_option
@asks_server
async def search(server: Server, session: Session, /, *, words: tuple[str, ...], **query: Any) -> None:
    """Find what was said with all of WORDS, the latest first."""
    asked = _stated({"query": " ".join(words), **query})
    reply = await server.get("chat", "threads", "search", query=asked)
    session.show(reply, lambda: _print_page(FOUND, reply, "results", empty="nothing was found"))


@thread.command()
@thread_argument
@click.argument("message_id", metavar="MESSAGE")
@click.option("--title", help="What to call the new thread. [default: as the one before]")
@asks_server
async def branch(
    server: Server, session: Session, thread_id: str, message_id: str, title: str | None
) -> None:
    """Open a thread with all up to an answer, or up to before a question, of another."""
    body = {"message_id": message_id} | ({"title": title} if title else {})
    reply = await server.post("chat", "threads", thread_id, "branch", body=body)
    session.show(reply, lambda: print_record(list(reply.value().items())))


def _stated(query: dict[str, Any]) -> dict[str, Any]:
    told = {name: value for name, value in query.items() if value is not None}
    return {name: str(value).lower() if isinstance(value, bool) else value for name, value in told.items()}


def _print_page(columns: tuple[Column, ...], reply: Reply, name: str, *, empty: str) -> None:
    print_table(columns, reply.items(name), empty=empty)
    _tell_of_more(reply)


def _print_messages(reply: Reply) -> None:
    messages = reply.items("messages")
    if not messages:
        click.echo("nothing was said yet", err=True)
    for message in messages:
        _print_message(message)
    _tell_of_more(reply)


def _print_message(message: dict[str, Any]) -> None:
    status = message.get("status")
    told = "" if status == "complete" else f" ({status})"
    click.echo(f"{one_line(str(message.get('role')))} {one_line(str(message.get('id')))}{told}")
    click.echo(harmless(str(message.get("content") or "")))
    if isinstance(error := message.get("error"), dict):
        click.echo(f"error: {one_line(str(error.get('message')))}")
    answer = message.get("answer")
    cited = answer.get("citations") if isinstance(answer, dict) else None
    for line in citation_lines([one for one in cited or [] if isinstance(one, dict)]):
        click.echo(one_line(line))
    click.echo()


def _tell_of_more(reply: Reply) -> None:
    if cursor := reply.value().get("next_cursor"):
        sys.stdout.flush()
        click.echo(f"there is more: --cursor '{one_line(str(cursor))}' shows what follows", err=True)
