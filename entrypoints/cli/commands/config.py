"""`factflow config`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from entrypoints.cli.client import Server
from entrypoints.cli.commands.config_validate import validate
from entrypoints.cli.commands.config_versions import VERSION_COMMANDS
from entrypoints.cli.commands.starting import start_and_tell, starting_options
from entrypoints.cli.names import config_id_of
from entrypoints.cli.paging import limit_option, offset_option, print_page
from entrypoints.cli.problems import finding_lines
from entrypoints.cli.session import ClientGroup, Session, asks_server
from entrypoints.cli.streams import harmless
from entrypoints.cli.tables import Column, moment, print_record
from entrypoints.cli.texts import text_of

CONFIGS = (
    Column("id", "id"),
    Column("name", "name"),
    Column("version", "version", is_number=True),
    Column("active", "is_active"),
    Column("runnable", "is_runnable"),
    Column("updated", lambda config: moment(config.get("updated_at"))),
)
file_option = click.option(
    "-f", "--file", "source", required=True, metavar="FILE", help="The YAML file; - reads standard input."
)


@click.group(cls=ClientGroup)
def config() -> None:
    """Store, validate and run pipeline configs. CONFIG is an id or a name."""


config.add_command(validate)
for _command in VERSION_COMMANDS:
    config.add_command(_command)


@config.command()
@file_option
@click.option("--name", help="A name for it. [default: that of the file]")
@click.option("--description", help="A sentence on what it does.")
@asks_server
async def create(
    server: Server, session: Session, source: str, name: str | None, description: str | None
) -> None:
    """Store a new config; one with errors is stored too, and cannot run."""
    if source == "-" and name is None:
        raise click.UsageError("a config from standard input needs a --name")
    body = {"name": name or Path(source).stem, "config_yaml": text_of(source), "description": description}
    reply = await server.post(
        "configs", body={key: value for key, value in body.items() if value is not None}
    )
    session.show(reply, lambda: _print_config(reply.value()))


@config.command("list")
@click.option("--active/--inactive", default=True, help="Those that can run, or those that were deleted.")
@limit_option
@offset_option
@asks_server
async def list_configs(server: Server, session: Session, active: bool, limit: int, offset: int) -> None:  # noqa: FBT001
    """List the configs, the oldest first."""
    query = {"limit": limit, "offset": offset, "is_active": None if active else False}
    reply = await server.get("configs", query=query)
    session.show(reply, lambda: print_page(CONFIGS, reply, "configs", empty="no configs"))


@config.command()
@click.argument("name", metavar="CONFIG")
@asks_server
async def get(server: Server, session: Session, name: str) -> None:
    """Print the YAML of a config, and on standard error what is known of it."""
    reply = await server.get("configs", await config_id_of(server, name))

    def as_table() -> None:
        value = reply.value()
        click.echo(harmless(str(value.get("config_yaml", ""))).rstrip("\n"))
        click.echo("\n".join(_known(value)), err=True)

    session.show(reply, as_table)


@config.command()
@click.argument("name", metavar="CONFIG")
@file_option
@click.option("--name", "new_name", help="A new name for it.")
@click.option("--description", help="A new description.")
@asks_server
async def edit(
    server: Server, session: Session, name: str, source: str, new_name: str | None, description: str | None
) -> None:
    """Store a new version of a config; executions that run keep the one they began with."""
    body = {"config_yaml": text_of(source), "name": new_name, "description": description}
    identifier = await config_id_of(server, name)
    given = {key: value for key, value in body.items() if value is not None}
    reply = await server.send("PUT", "configs", identifier, body=given)
    session.show(reply, lambda: _print_config(reply.value()))


@config.command()
@starting_options
@asks_server
async def run(server: Server, session: Session, /, name: str, **how: Any) -> int:
    """Run a config."""
    return await start_and_tell(server, session, name, **how)


@config.command()
@click.argument("name", metavar="CONFIG")
@asks_server
async def delete(server: Server, session: Session, name: str) -> None:
    """Deactivate a config; its executions stay."""
    identifier = await config_id_of(server, name)
    await server.send("DELETE", "configs", identifier)
    if not session.is_for_programs:
        click.echo(f"deactivated {identifier}")


def _print_config(value: dict[str, Any]) -> None:
    print_record([(name, value.get(name)) for name in ("id", "name", "version", "is_active", "is_runnable")])
    _print_findings(value)


def _known(value: dict[str, Any]) -> list[str]:
    return [f"# {name}: {value.get(name)}" for name in ("id", "name", "version", "is_active", "is_runnable")]


def _print_findings(value: dict[str, Any]) -> None:
    report = value.get("validation_report")
    for line in finding_lines((report or {}).get("findings") or []):
        click.echo(harmless(line), err=True)
