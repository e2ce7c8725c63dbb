"""`factflow dead-letter`."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, TypeVar

import click

from domain.errors import Invalid, Unavailable
from entrypoints.cli.client import Query, Reply, Server
from entrypoints.cli.exit_codes import FAILED, OK
from entrypoints.cli.names import execution_id_of
from entrypoints.cli.paging import limit_option, offset_option, print_page
from entrypoints.cli.session import REQUEST_SECONDS, ClientGroup, Session, asks_server
from entrypoints.cli.tables import Column, Row, moment, print_record

WAIT_SECONDS = 3600.0
LOOK_SECONDS = 0.5

Command = TypeVar("Command", bound=Callable[..., Any])


class WhichDeadLetters(Invalid):
    """Name one message, or give a filter, or --all."""

    code = "which_dead_letters"


class StillRedriving(Unavailable):
    """The redrive was still running when the time was up; it goes on."""

    code = "still_redriving"


def reason(row: Row) -> object:
    """Why a message is dead, in a line."""
    error = row.get("error")
    return (error.get("message") or error.get("code") or error) if isinstance(error, dict) else error


COLUMNS = (
    Column("message", "message_id"),
    Column("route", "route_id"),
    Column("adapter", "adapter_name"),
    Column("attempts", "attempts", is_number=True),
    Column("at", lambda row: moment(row.get("dead_at"))),
    Column("reason", reason),
)


class Moment(click.ParamType[datetime]):
    """A command line parameter in ISO 8601, in the time of this machine unless it says otherwise."""

    name = "moment"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> datetime:
        """The moment with its zone, or a usage error."""
        if isinstance(value, datetime):
            return value
        try:
            return datetime.fromisoformat(str(value)).astimezone()
        except (ValueError, OverflowError, OSError):
            self.fail(f"{value!r} is not a moment such as 2026-01-31T12:00", param, ctx)


def filter_options(command: Command) -> Command:
    """The options that say which dead letters are meant."""
    for option in reversed(
        (
            click.option("--execution", metavar="EXECUTION", help="Of this execution, by id or tag."),
            click.option("--route", metavar="ROUTE", help="Of this route."),
            click.option("--adapter", metavar="TYPE", help="Those at which this pipeline adapter failed."),
            click.option("--stage", metavar="STAGE", help="Those that failed at this stage."),
            click.option("--error-code", metavar="CODE", help="Those with this error code."),
            click.option("--after", type=Moment(), metavar="MOMENT", help="Dead after this moment."),
            click.option("--before", type=Moment(), metavar="MOMENT", help="Dead before this moment."),
        )
    ):
        command = option(command)
    return command


def many_options(command: Command) -> Command:
    """One message, or many by a filter."""
    for option in (
        click.option("--all", "everything", is_flag=True, help="All there are."),
        filter_options,
        click.argument("message", metavar="[MESSAGE]", required=False),
    ):
        command = option(command)
    return command


@click.group("dead-letter", cls=ClientGroup)
def dead_letter() -> None:
    """See, redrive and purge the messages that could not be processed."""


@dead_letter.command("list")
@filter_options
@limit_option
@offset_option
@asks_server
async def list_letters(
    server: Server, session: Session, /, *, limit: int, offset: int, **wanted: Any
) -> None:
    """List dead letters, the earliest dead first."""
    query: Query = {**await _filter(server, wanted), "limit": limit, "offset": offset}
    reply = await server.get("dead-letters", query=query)
    session.show(reply, lambda: print_page(COLUMNS, reply, "dead_letters", empty="no dead letters"))


@dead_letter.command()
@click.argument("message", metavar="MESSAGE")
@asks_server
async def get(server: Server, session: Session, message: str) -> None:
    """Show a dead letter: the message as it was, and why it is dead."""
    reply = await server.get("dead-letters", message)
    session.show(reply, lambda: print_record(list(reply.value().items())))


@dead_letter.command()
@many_options
@asks_server
async def redrive(
    server: Server, session: Session, /, *, message: str | None, everything: bool, **wanted: Any
) -> int:
    """Put dead letters back in the queue: one MESSAGE, or those that the options mean.

    An execution that has ended runs again.
    With many, the command waits until all are queued: exit code 1 when some had to be left.
    """
    body = _wish(message, await _filter(server, wanted), everything=everything)
    if message is not None:
        reply = await server.post("dead-letters", message, "redrive")
        session.show(reply, lambda: click.echo(_told_of_one(reply.value())))
        return OK
    reply = await _ended(server, await server.post("dead-letters", "redrive", body=body), session)
    session.show(reply, lambda: _tell(reply.value()))
    value = reply.value()
    return OK if value.get("status") == "completed" and not value.get("refused_executions") else FAILED


@dead_letter.command()
@many_options
@asks_server
async def purge(
    server: Server, session: Session, /, *, message: str | None, everything: bool, **wanted: Any
) -> None:
    """Erase dead letters for good: one MESSAGE, or those that the options mean.

    Their payloads and reasons are gone then; the counts stay.
    """
    body = _wish(message, await _filter(server, wanted), everything=everything)
    if message is not None:
        await server.send("DELETE", "dead-letters", message)
        return
    reply = await server.post("dead-letters", "purge", body=body)
    session.show(reply, lambda: click.echo(f"{reply.value().get('purged')} purged"))


async def _filter(server: Server, wanted: Mapping[str, Any]) -> dict[str, str]:
    given = {
        "execution_id": await execution_id_of(server, wanted["execution"]),
        "route_id": wanted["route"],
        "adapter_name": wanted["adapter"],
        "stage_name": wanted["stage"],
        "error_code": wanted["error_code"],
        "dead_after": wanted["after"] and wanted["after"].isoformat(),
        "dead_before": wanted["before"] and wanted["before"].isoformat(),
    }
    return {name: value for name, value in given.items() if value is not None}


def _wish(message: str | None, given: dict[str, str], *, everything: bool) -> dict[str, Any]:
    """The body that says which many are meant; raises WhichDeadLetters unless exactly one thing was said."""
    if [message is not None, bool(given), everything].count(True) != 1:
        raise WhichDeadLetters
    return {"all": True} if everything else dict(given)


async def _ended(server: Server, reply: Reply, session: Session) -> Reply:
    # Here and not above, so that `--help` need not load it.
    import asyncio

    deadline = time.monotonic() + session.seconds(WAIT_SECONDS)
    server.timeout_seconds = REQUEST_SECONDS
    redrive_id = str(reply.value().get("id"))
    while reply.value().get("status") == "running":
        if time.monotonic() > deadline:
            raise StillRedriving
        await asyncio.sleep(LOOK_SECONDS)
        reply = await server.get("dead-letters", "redrives", redrive_id)
    return reply


def _told_of_one(value: Mapping[str, Any]) -> str:
    again = f", which runs again (generation {value.get('generation')})" if value.get("reopened") else ""
    return f"queued again in execution {value.get('execution_id')}{again}"


def _tell(value: Mapping[str, Any]) -> None:
    click.echo(
        f"{value.get('status')}: {value.get('messages')} queued again in {value.get('executions')} executions"
    )
    for one in value.get("refused") or ():
        click.echo(
            f"execution {one.get('execution_id')}: {one.get('detail')} ({one.get('error_code')})", err=True
        )
    error = value.get("error")
    if isinstance(error, dict):
        click.echo(f"reason: {error.get('message')}; the same command does the rest", err=True)
