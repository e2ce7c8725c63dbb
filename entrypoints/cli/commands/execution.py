"""`factflow execution`. EXECUTION is an id or a tag."""

from __future__ import annotations

from typing import Any

import click

from entrypoints.cli.client import Server
from entrypoints.cli.commands.dead_letter import COLUMNS
from entrypoints.cli.commands.starting import start_and_tell, starting_options
from entrypoints.cli.durations import in_words
from entrypoints.cli.paging import limit_option, offset_option, print_page
from entrypoints.cli.session import ClientGroup, Session, asks_server
from entrypoints.cli.tables import Column, Row, age, moment, print_record, print_table

STATUSES = ("running", "completed", "failed", "cancelled", "interrupted")


def _settled(row: Row) -> object:
    counts = row.get("messages") or {}
    total = int(counts.get("total") or 0)
    return f"{total - int(counts.get('outstanding') or 0)}/{total}"


def _status(row: Row) -> object:
    return f"{row.get('status')}, paused" if row.get("paused_at") else row.get("status")


def _milliseconds(row: Row) -> object:
    taken = row.get("avg_duration_ms")
    return None if taken is None else in_words(float(taken) / 1000)


WORK_STATES = {"open": "running", "paused": "paused", "breaker": "breaker open"}


def _state(row: Row) -> object:
    work = row.get("work")
    if row.get("paused_by"):
        return "paused"
    # Null where the route does not run, or does so in another process.
    return WORK_STATES.get(str(work.get("state"))) if isinstance(work, dict) else None


EXECUTIONS = (
    Column("id", "id"),
    Column("status", _status),
    Column("settled", _settled, is_number=True),
    Column("dead", lambda row: (row.get("messages") or {}).get("dead"), is_number=True),
    Column("age", lambda row: age(row.get("started_at")), is_number=True),
    Column("tag", "tag"),
)
ROUTES = (
    Column("route", "route_id"),
    Column("queue", "queue"),
    Column("state", _state),
    Column("messages", "total_messages", is_number=True),
    Column("completed", "completed", is_number=True),
    Column("failed", "failed", is_number=True),
    Column("in progress", "in_progress", is_number=True),
    Column("on average", _milliseconds, is_number=True),
)
PIPELINE_ADAPTERS = (
    Column("route", "route_id"),
    Column("adapter", "adapter_name"),
    Column("completed", "completed", is_number=True),
    Column("failed", "failed", is_number=True),
    Column("in progress", "in_progress", is_number=True),
    Column("on average", _milliseconds, is_number=True),
)
name_argument = click.argument("name", metavar="EXECUTION")


@click.group(cls=ClientGroup)
def execution() -> None:
    """Run pipelines and see how they go. EXECUTION is an id or a tag."""


@execution.command()
@starting_options
@asks_server
async def run(server: Server, session: Session, /, name: str, **how: Any) -> int:
    """Run a config, given by id or name, and print the execution's id."""
    return await start_and_tell(server, session, name, **how)


@execution.command("list")
@click.option("--status", type=click.Choice(STATUSES), help="Of this status only.")
@limit_option
@offset_option
@asks_server
async def list_executions(
    server: Server, session: Session, status: str | None, limit: int, offset: int
) -> None:
    """List executions, the latest first."""
    reply = await server.get("executions", query={"status": status, "limit": limit, "offset": offset})
    session.show(reply, lambda: print_page(EXECUTIONS, reply, "executions", empty="no executions"))


@execution.command()
@name_argument
@asks_server
async def get(server: Server, session: Session, name: str) -> None:
    """Show an execution."""
    reply = await server.get("executions", name)

    def as_table() -> None:
        value = reply.value()
        snapshot = value.get("config_snapshot")
        shown: dict[str, Any] = {
            key: one for key, one in value.items() if key not in {"config_snapshot", "messages"}
        }
        shown |= {"config": snapshot.get("name")} if isinstance(snapshot, dict) else {}
        shown |= {
            key: moment(value[key]) for key in ("started_at", "completed_at", "paused_at") if value.get(key)
        }
        shown |= value.get("messages") or {}
        print_record(list(shown.items()))

    session.show(reply, as_table)


@execution.command()
@name_argument
@asks_server
async def wait(server: Server, session: Session, name: str) -> int:
    """Wait until an execution is over: exit code 0 when it completed, 1 when it failed or was cancelled.

    It waits for an hour, or for as long as --timeout says, also while the server restarts.
    """
    from entrypoints.cli.commands.waiting import WAIT_SECONDS, wait_until_over

    return await wait_until_over(server, session, name, seconds=session.seconds(WAIT_SECONDS))


@execution.command()
@name_argument
@asks_server
async def watch(server: Server, session: Session, name: str) -> int:
    """Show how the routes of an execution fare until it is over; exit codes as of `execution wait`.

    On a terminal it is a table that changes in its place, elsewhere a line for each change.
    """
    from entrypoints.cli.commands.watching import watch

    return await watch(server, session, name, ROUTES)


@execution.command()
@name_argument
@asks_server
async def cancel(server: Server, session: Session, name: str) -> None:
    """Cancel an execution that runs."""
    reply = await server.send("PATCH", "executions", name, body={"status": "cancelled"})
    session.show(reply, lambda: click.echo(str(reply.value().get("message") or "cancelled")))


@execution.command()
@name_argument
@click.option(
    "--as",
    "status",
    type=click.Choice(("failed", "completed")),
    required=True,
    help="The status that it ends with.",
)
@click.option("--reason", help="Why it failed, for whoever looks at it later.")
@asks_server
async def end(server: Server, session: Session, name: str, status: str, reason: str | None) -> None:
    """End an execution that is stuck, as failed or completed; what is left of it is not processed any more."""
    if reason is not None and status != "failed":
        raise click.UsageError("--reason goes with --as failed")
    body: dict[str, object] = {"status": status}
    body |= {} if reason is None else {"error_info": {"message": reason}}
    reply = await server.send("PATCH", "executions", name, body=body)
    session.show(reply, lambda: click.echo(str(reply.value().get("message") or status)))


@execution.command()
@name_argument
@asks_server
async def pause(server: Server, session: Session, name: str) -> None:
    """Let an execution begin no more messages until it is resumed; it stays `running`."""
    reply = await server.post("executions", name, "pause")
    session.show(reply, lambda: click.echo(str(reply.value().get("message") or "paused")))


@execution.command()
@name_argument
@asks_server
async def resume(server: Server, session: Session, name: str) -> None:
    """Lift the pause of an execution; pauses of its routes stay."""
    reply = await server.post("executions", name, "resume")
    session.show(reply, lambda: click.echo(str(reply.value().get("message") or "resumed")))


@execution.command()
@name_argument
@asks_server
async def dag(server: Server, session: Session, name: str) -> None:
    """Show the routes of an execution and the queues that join them."""
    reply = await server.get("executions", name, "dag")

    def as_table() -> None:
        edges = reply.items("edges")
        columns = (
            Column("route", "route_id"),
            Column("adapters", "adapters"),
            Column(
                "goes to",
                lambda row: [
                    edge.get("to_route") for edge in edges if edge.get("from_route") == row.get("route_id")
                ],
            ),
        )
        click.echo(f"the first message goes to {reply.value().get('init_queue') or 'no queue'}", err=True)
        print_table(columns, reply.items("nodes"), empty="no routes")

    session.show(reply, as_table)


@execution.command()
@name_argument
@asks_server
async def routes(server: Server, session: Session, name: str) -> None:
    """Show how each route stands in the server that is asked, and how its messages fare."""
    reply = await server.get("executions", name, "routes")
    session.show(reply, lambda: print_table(ROUTES, reply.items("routes"), empty="no routes"))


@execution.command()
@name_argument
@asks_server
async def stats(server: Server, session: Session, name: str) -> None:
    """Show an execution in figures: messages, time, pace, each route's share, and each pipeline adapter's.

    Routes count messages, pipeline adapters count attempts.
    """
    reply = await server.get("executions", name, "stats")

    def as_table() -> None:
        value = reply.value()
        figures = {**value, **(value.get("metrics") or {})}
        names = ("status", "total", "completed", "failed", "processing", "duration_seconds")
        print_record([(one, figures.get(one)) for one in (*names, "messages_per_second")])
        click.echo("")
        print_table(ROUTES, reply.items("routes"), empty="no routes")
        click.echo("")
        print_table(PIPELINE_ADAPTERS, reply.items("adapters"), empty="no lineage entries")

    session.show(reply, as_table)


@execution.command("dead-letters")
@name_argument
@limit_option
@offset_option
@asks_server
async def dead_letters(server: Server, session: Session, name: str, limit: int, offset: int) -> None:
    """List the messages that could not be processed, with the reasons."""
    reply = await server.get("executions", name, "dead-letters", query={"limit": limit, "offset": offset})
    session.show(reply, lambda: print_page(COLUMNS, reply, "dead_letters", empty="no dead letters"))
