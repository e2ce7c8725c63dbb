"""`factflow system`."""

from __future__ import annotations

from typing import Any

import click

from domain.errors import Unavailable
from entrypoints.cli.client import Server
from entrypoints.cli.durations import in_words
from entrypoints.cli.exit_codes import KINDS, OK
from entrypoints.cli.paging import limit_option, offset_option, print_page
from entrypoints.cli.session import ClientGroup, Session, asks_server
from entrypoints.cli.tables import Column, age, print_record, print_table

COMPONENTS = (Column("component", "name"), Column("status", "status"), Column("message", "message"))


@click.group(cls=ClientGroup)
def system() -> None:
    """Ask how the server is."""


@system.command()
@asks_server
async def ready(server: Server, session: Session) -> None:
    """Tell whether the server can work; exit code 7 when it cannot. No key is needed."""
    reply = await server.get("system", "ready")
    session.show(reply, lambda: click.echo("ready"))


@system.command()
@click.option("--debug", "debug", is_flag=True, help="With what each component tells besides.")
@asks_server
async def health(server: Server, session: Session, debug: bool) -> int:  # noqa: FBT001  # a flag of the command line
    """Show whether the server and what it depends on are well; exit code 7 when they are not."""
    reply = await server.get("system", "health", query={"debug": debug or None})
    report = reply.value()
    components = reply.items("components")

    def as_table() -> None:
        print_record(
            [("status", report.get("status")), ("up for", in_words(float(report.get("uptime_seconds") or 0)))]
        )
        click.echo()
        print_table(COMPONENTS, components, empty="no component is known")
        if debug and isinstance(report.get("debug"), dict):
            click.echo()
            print_record(sorted(report["debug"].items()))

    session.show(reply, as_table)
    return KINDS[Unavailable] if report.get("status") == "unhealthy" else OK


WORKERS = (
    Column("name", "name"),
    Column("host", "host"),
    Column("pid", "pid", is_number=True),
    Column("alive for", lambda row: age(row.get("since"))),
    Column("routes", "takes_messages"),
    Column("executions", lambda row: len(row.get("executions") or ()), is_number=True),
    Column("in hand", "in_hand", is_number=True),
)


@system.command()
@limit_option
@offset_option
@asks_server
async def workers(server: Server, session: Session, limit: int, offset: int) -> None:
    """List the servers and workers that are alive, and how much each has to do."""
    reply = await server.get("system", "workers", query={"limit": limit, "offset": offset})
    session.show(reply, lambda: print_page(WORKERS, reply, "workers", empty="no worker is alive"))


STEPS = (
    Column("step", "name"),
    Column("ms", lambda row: f"{row.get('duration_ms') or 0:.1f}", is_number=True),
    Column("result", lambda row: row.get("error") or "ok"),
)
TABLES = (
    Column("table", "name"),
    Column("rows, about", "rows", is_number=True),
    Column("MB", lambda row: f"{(row.get('size_bytes') or 0) / 1e6:.1f}", is_number=True),
)


async def _diagnosis(server: Server, session: Session, component: str, body: object = None) -> int:
    reply = await server.post("system", f"{component}-diagnostic", body=body)
    told = reply.value()
    facts = told.get("database")

    def as_table() -> None:
        print_table(STEPS, reply.items("steps"), empty="nothing was tried")
        if isinstance(facts, dict):
            click.echo()
            print_record([(name.replace("_", " "), facts[name]) for name in facts if name != "tables"])
            click.echo()
            print_table(TABLES, facts.get("tables") or [], empty="there are no tables")

    session.show(reply, as_table)
    return OK if told.get("ok") else KINDS[Unavailable]


@system.command("mq-diagnostic")
@click.option("--host", help="Try this broker, by STOMP, in place of the server's own queue.")
@click.option("--port", type=click.IntRange(1, 65_535), default=61_614, show_default=True, help="Its port.")
@click.option("--username", default="", help="Who signs in there.")
@click.option(
    "--password",
    envvar="FACTFLOW_BROKER_PASSWORD",
    default="",
    help="With which password. [FACTFLOW_BROKER_PASSWORD]",
)
@click.option("--plain", is_flag=True, help="Without encryption.")
@click.option("--messages", type=click.IntRange(0, 1000), default=0, help="How many to send there and back.")
@asks_server
async def mq_diagnostic(server: Server, session: Session, /, host: str | None, **how: Any) -> int:
    """Send something through the message queue and back; exit code 7 when that does not work."""
    return await _diagnosis(server, session, "mq", None if host is None else _broker(host, **how))


def _broker(
    host: str, *, port: int, username: str, password: str, plain: bool, messages: int
) -> dict[str, object]:
    return {
        "host": host,
        "port": port,
        "username": username,
        "password": password,
        "ssl_enabled": not plain,
        "test_pubsub": messages > 0,
        "message_count": messages or 1,
    }


@system.command("storage-diagnostic")
@asks_server
async def storage_diagnostic(server: Server, session: Session) -> int:
    """Write, read, list and delete an object; exit code 7 when that does not work."""
    return await _diagnosis(server, session, "storage")


@system.command("database-diagnostic")
@asks_server
async def database_diagnostic(server: Server, session: Session) -> int:
    """Show the database's versions and sizes; exit code 7 when it does not answer."""
    return await _diagnosis(server, session, "database")


@system.command()
@asks_server
async def metrics(server: Server, session: Session) -> None:
    """Count executions, messages, webhook deliveries and documents."""
    reply = await server.get("system", "metrics")
    told = reply.value()

    def as_table() -> None:
        print_record([(name.replace("_", " "), _counts(told[name])) for name in told])

    session.show(reply, as_table)


def _counts(value: object) -> object:
    if not isinstance(value, dict):
        return value
    return ", ".join(f"{number} {state}" for state, number in sorted(value.items())) or "none"


SETTINGS = (Column("variable", "variable"), Column("value", "value"), Column("default", "is_default"))


@system.command()
@asks_server
async def settings(server: Server, session: Session) -> None:
    """List what the server was started with; secrets are not shown."""
    reply = await server.get("system", "settings")
    session.show(reply, lambda: print_table(SETTINGS, reply.items("settings"), empty="no setting is known"))


@system.command()
@asks_server
async def info(server: Server, session: Session) -> None:
    """Show what the server is, and its version."""
    reply = await server.get("system", "info")
    session.show(reply, lambda: print_record(list(reply.value().items())))
