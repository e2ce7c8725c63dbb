"""`factflow adapter`."""

from __future__ import annotations

import json
from typing import Any

import click

from domain.errors import Invalid
from domain.findings import UnparseableConfig, ValidationReport
from entrypoints.cli.client import Server
from entrypoints.cli.exit_codes import KINDS, OK
from entrypoints.cli.paging import limit_option, offset_option, print_page
from entrypoints.cli.problems import finding_lines
from entrypoints.cli.session import ClientGroup, Session, asks_server
from entrypoints.cli.streams import harmless, write_bytes
from entrypoints.cli.tables import Column, Row, print_record, print_table
from entrypoints.cli.texts import text_of

ADAPTERS = (
    Column("type", "type"),
    Column("version", "version"),
    Column("package", "package"),
    Column("does", "description"),
)


def _type(field: Row) -> object:
    schema = field["schema"]
    choices = schema.get("anyOf") or schema.get("enum")
    if isinstance(choices, list):
        return " or ".join(str(one.get("type") if isinstance(one, dict) else one) for one in choices)
    return schema.get("type") or "any"


def _default(field: Row) -> object:
    if field["is_required"]:
        return "required"
    return json.dumps(field["schema"].get("default"), ensure_ascii=False)


FIELDS = (Column("field", "name"), Column("type", _type), Column("default", _default))


@click.group(cls=ClientGroup)
def adapter() -> None:
    """See what a route's `adapters` may name."""


@adapter.command("list")
@limit_option
@offset_option
@asks_server
async def list_adapters(server: Server, session: Session, limit: int, offset: int) -> None:
    """List the pipeline adapters, and say of those that cannot be used why."""
    reply = await server.get("adapters", query={"limit": limit, "offset": offset})

    def as_table() -> None:
        print_page(ADAPTERS, reply, "adapters", empty="no pipeline adapters")
        for one in reply.items("unusable"):
            click.echo(harmless(f"{one.get('type')} cannot be used: {one.get('reason')}"), err=True)

    session.show(reply, as_table)


@adapter.command()
@click.argument("name", metavar="TYPE")
@asks_server
async def get(server: Server, session: Session, name: str) -> None:
    """Describe one pipeline adapter and the fields of its config."""
    reply = await server.get("adapters", name)

    def as_table() -> None:
        value = reply.value()
        print_record([(key, value.get(key)) for key in ("type", "description", "version", "package")])
        click.echo()
        print_table(FIELDS, _fields(value.get("config_schema") or {}), empty="its config has no fields")

    session.show(reply, as_table)


def _fields(schema: dict[str, Any]) -> list[dict[str, Any]]:
    required = schema.get("required") or []
    return [
        {"name": name, "schema": field, "is_required": name in required}
        for name, field in (schema.get("properties") or {}).items()
    ]


@adapter.command()
@click.argument("name", metavar="TYPE")
@asks_server
async def example(server: Server, _: Session, name: str) -> None:
    """Print a small pipeline that shows one pipeline adapter, as YAML to begin a config with."""
    write_bytes((await server.get("adapters", name, "example")).body)


@adapter.command()
@click.argument("name", metavar="TYPE")
@click.option(
    "-f",
    "--file",
    "source",
    required=True,
    metavar="FILE",
    help="The config alone, as YAML or JSON; - reads standard input.",
)
@asks_server
async def validate(server: Server, session: Session, name: str, source: str) -> int:
    """Say everything that is wrong with the config of one pipeline adapter.

    Exit code 2 when there are errors.
    """
    reply = await server.post("adapters", name, "validate", body={"config": _config(source)})
    is_valid = bool(reply.value().get("is_valid"))

    def as_table() -> None:
        click.echo("valid" if is_valid else "not valid")
        for line in finding_lines(reply.items("findings")):
            click.echo(harmless(line))

    session.show(reply, as_table)
    return OK if is_valid else KINDS[Invalid]


def _config(source: str) -> object:
    from entrypoints.composition.config_check import config_check

    parsed = config_check().parser.parse(text_of(source))
    if parsed.value is None and parsed.findings:
        raise UnparseableConfig(ValidationReport(findings=parsed.findings))
    return parsed.value or {}
