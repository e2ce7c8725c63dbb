"""`factflow template`."""

from __future__ import annotations

import json
from typing import Any

import click

from domain.errors import Invalid
from entrypoints.cli.client import Server
from entrypoints.cli.paging import limit_option, offset_option, print_page
from entrypoints.cli.problems import finding_lines
from entrypoints.cli.session import ClientGroup, Session, asks_server
from entrypoints.cli.streams import harmless
from entrypoints.cli.tables import Column, print_record, print_table
from entrypoints.cli.texts import text_of

TEMPLATES = (
    Column("name", "name"),
    Column("kind", "kind"),
    Column("version", "version", is_number=True),
    Column("shipped", "is_shipped"),
    Column("description", "description"),
)
PARAMETERS = (
    Column("parameter", "name"),
    Column("type", "type"),
    Column("required", "is_required"),
    Column("default", "default"),
    Column("description", "description"),
)
template_argument = click.argument("template", metavar="TEMPLATE")
set_option = click.option(
    "--set",
    "values",
    multiple=True,
    metavar="NAME=VALUE",
    help="A parameter, as JSON or text; may be repeated.",
)
file_option = click.option(
    "-f",
    "--file",
    "source",
    required=True,
    metavar="FILE",
    help="Its JSON, as in the API; - reads standard input.",
)


@click.group(cls=ClientGroup)
def template() -> None:
    """Make configs and prompts from templates. TEMPLATE is an id or a name."""


@template.command("list")
@click.option("--kind", type=click.Choice(["pipeline", "prompt"]), help="Only of this kind.")
@limit_option
@offset_option
@asks_server
async def list_templates(server: Server, session: Session, kind: str | None, limit: int, offset: int) -> None:
    """List the templates, those that come with the server first."""
    reply = await server.get("templates", query={"kind": kind, "limit": limit, "offset": offset})
    session.show(reply, lambda: print_page(TEMPLATES, reply, "templates", empty="no templates"))


@template.command()
@template_argument
@asks_server
async def get(server: Server, session: Session, template: str) -> None:
    """Print a template's text and its parameters."""
    reply = await server.get("templates", template)

    def as_table() -> None:
        click.echo(harmless(str(reply.value().get("text", ""))).rstrip("\n"))
        click.echo("")
        print_table(PARAMETERS, reply.items("parameters"), empty="no parameters")

    session.show(reply, as_table)


@template.command()
@file_option
@asks_server
async def create(server: Server, session: Session, source: str) -> None:
    """Store a template from its JSON: name, kind, text, parameters."""
    reply = await server.post("templates", body=_object(text_of(source)))
    session.show(reply, lambda: _print_stored(reply.value()))


@template.command()
@template_argument
@file_option
@asks_server
async def edit(server: Server, session: Session, template: str, source: str) -> None:
    """Change what the JSON says of a template: text, description, parameters."""
    reply = await server.send("PUT", "templates", template, body=_object(text_of(source)))
    session.show(reply, lambda: _print_stored(reply.value()))


@template.command()
@template_argument
@asks_server
async def delete(server: Server, _session: Session, template: str) -> None:
    """Delete a template; configs made of it stay."""
    await server.send("DELETE", "templates", template)
    click.echo(f"deleted {harmless(template)}")


@template.command()
@template_argument
@set_option
@asks_server
async def render(server: Server, session: Session, template: str, values: tuple[str, ...]) -> None:
    """Print a template with values in its places."""
    reply = await server.post("templates", template, "render", body={"parameters": _values(values)})

    def as_text() -> None:
        value = reply.value()
        click.echo(harmless(str(value.get("text", ""))).rstrip("\n"))
        for line in finding_lines((value.get("validation_report") or {}).get("findings") or []):
            click.echo(harmless(line), err=True)

    session.show(reply, as_text)


@template.command()
@template_argument
@click.option("--name", required=True, help="The name of the config.")
@set_option
@asks_server
async def config(server: Server, session: Session, template: str, name: str, values: tuple[str, ...]) -> None:
    """Store a pipeline config made from a template."""
    body = {"name": name, "parameters": _values(values)}
    reply = await server.post("templates", template, "config", body=body)
    fields = ("id", "name", "version", "is_runnable")
    session.show(reply, lambda: print_record([(field, reply.value().get(field)) for field in fields]))


def _values(given: tuple[str, ...]) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for one in given:
        name, equals, text = one.partition("=")
        if not equals:
            raise Invalid(f"{one!r} is not NAME=VALUE")
        try:
            values[name] = json.loads(text)
        except ValueError:
            values[name] = text
    return values


def _object(text: str) -> dict[str, Any]:
    try:
        value = json.loads(text)
    except ValueError as error:
        raise Invalid(f"the template is not JSON: {error}") from error
    if not isinstance(value, dict):
        raise Invalid("the template's JSON is no object")
    return value


def _print_stored(value: dict[str, Any]) -> None:
    print_record([(field, value.get(field)) for field in ("id", "name", "kind", "version")])
