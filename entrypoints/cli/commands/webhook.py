"""`factflow webhook`: subscriptions."""

from __future__ import annotations

from typing import Any

import click

from entrypoints.cli.client import Server
from entrypoints.cli.commands.webhook_delivery import (
    add_delivery_commands,
    after_first_attempt,
    tell_delivery,
)
from entrypoints.cli.durations import Duration
from entrypoints.cli.exit_codes import FAILED, OK
from entrypoints.cli.paging import limit_option, offset_option, print_page
from entrypoints.cli.session import ClientGroup, Session, asks_server
from entrypoints.cli.tables import Column, moment, print_record, print_table

SUBSCRIPTIONS = (
    Column("webhook", "id"),
    Column("url", "url"),
    Column("events", "event_types"),
    Column("enabled", "is_enabled"),
    Column("readable", "is_readable"),
    Column("failing since", lambda row: moment(row["failing_since"]) if row.get("failing_since") else None),
)
EVENT_TYPES = (Column("type", "name"), Column("what it tells", "description"))
webhook_argument = click.argument("webhook_id", metavar="WEBHOOK")


def _events(_: click.Context, __: click.Parameter, value: str | None) -> list[str] | None:
    return None if value is None else [one.strip() for one in value.split(",") if one.strip()]


def _headers(_: click.Context, __: click.Parameter, value: tuple[str, ...]) -> dict[str, str]:
    pairs = [one.partition(":") for one in value]
    if not all(colon for _, colon, _ in pairs):
        raise click.BadParameter("a header is written NAME: VALUE")
    return {name.strip(): text.strip() for name, _, text in pairs}


@click.group(cls=ClientGroup)
def webhook() -> None:
    """Tell other systems what happens. WEBHOOK is the id of a subscription."""


@webhook.command()
# Named as the global option, which gives way here: the server is then named before the command.
@click.option(
    "--url",
    required=True,
    metavar="ADDRESS",
    help="Where to send to; the server's --url goes before `webhook`.",
)
@click.option("--events", required=True, callback=_events, help="The event types, by commas.")
@click.option("--secret", help="Sign with this. [default: a fresh one, which is shown once]")
@click.option("--description", help="A sentence on what it is for.")
@click.option("--config", "config_id", metavar="ID", help="Only events of this config.")
@click.option("--execution", "execution_id", metavar="ID", help="Only events of this execution.")
@click.option("--route", "route_id", metavar="ROUTE", help="Only events of this route.")
@click.option("--adapter", "adapter_name", metavar="TYPE", help="Only events of this pipeline adapter.")
@click.option(
    "--header",
    "headers",
    multiple=True,
    callback=_headers,
    metavar="'NAME: VALUE'",
    help="Send this header too; may be repeated.",
)
@click.option("--rate", "requests_per_second", type=float, help="So many requests a second at most.")
@click.option("--ordered", "is_ordered", is_flag=True, help="Let no event overtake an earlier one.")
@asks_server
async def create(server: Server, session: Session, /, *, url: str, events: list[str], **given: Any) -> None:
    """Subscribe an endpoint to events."""
    names = ("config_id", "execution_id", "route_id", "adapter_name")
    filters = {name: given.pop(name) for name in names}
    body = {name: value for name, value in given.items() if value is not None}
    body["filters"] = {name: value for name, value in filters.items() if value is not None}
    reply = await server.post("webhooks", body={"url": url, "event_types": events, **body})
    session.show(reply, lambda: _print_secret(reply.value()))


@webhook.command("list")
@limit_option
@offset_option
@asks_server
async def list_webhooks(server: Server, session: Session, limit: int, offset: int) -> None:
    """List the subscriptions, the oldest first."""
    reply = await server.get("webhooks", query={"limit": limit, "offset": offset})
    session.show(reply, lambda: print_page(SUBSCRIPTIONS, reply, "webhooks", empty="no webhooks"))


@webhook.command()
@webhook_argument
@asks_server
async def get(server: Server, session: Session, webhook_id: str) -> None:
    """Show a subscription, without its secrets."""
    reply = await server.get("webhooks", webhook_id)
    session.show(reply, lambda: print_record(list(reply.value().items())))


@webhook.command()
@webhook_argument
@click.option("--url", metavar="ADDRESS", help="Send to this address instead.")
@click.option("--events", callback=_events, help="The event types, by commas, in place of those before.")
@click.option("--description", help="A sentence on what it is for.")
@asks_server
async def edit(
    server: Server,
    session: Session,
    webhook_id: str,
    url: str | None,
    events: list[str] | None,
    description: str | None,
) -> None:
    """Change a subscription; what is not given stays."""
    body = {"url": url, "event_types": events, "description": description}
    given = {name: value for name, value in body.items() if value is not None}
    reply = await server.send("PATCH", "webhooks", webhook_id, body=given)
    session.show(reply, lambda: print_record(list(reply.value().items())))


@webhook.command()
@webhook_argument
@asks_server
async def delete(server: Server, session: Session, webhook_id: str) -> None:
    """Delete a subscription with its deliveries, for good."""
    await server.send("DELETE", "webhooks", webhook_id)
    if not session.is_for_programs:
        click.echo(f"deleted {webhook_id}")


@webhook.command()
@webhook_argument
@asks_server
async def enable(server: Server, session: Session, webhook_id: str) -> None:
    """Tell a subscription of events again; `replay` sends what it has missed."""
    reply = await server.post("webhooks", webhook_id, "enable")
    session.show(reply, lambda: click.echo(f"enabled {webhook_id}"))


@webhook.command()
@webhook_argument
@asks_server
async def disable(server: Server, session: Session, webhook_id: str) -> None:
    """Tell a subscription of nothing for now; what happens meanwhile is kept."""
    reply = await server.post("webhooks", webhook_id, "disable")
    session.show(reply, lambda: click.echo(f"disabled {webhook_id}"))


@webhook.command("rotate-secret")
@webhook_argument
@click.option("--secret", help="Sign with this from now on. [default: a fresh one]")
@click.option(
    "--keep-old", type=Duration(), default="1d", show_default=True, help="How long the old one signs as well."
)
@click.option("--drop-old", is_flag=True, help="Let the old ones end at once.")
@asks_server
async def rotate_secret(
    server: Server,
    session: Session,
    webhook_id: str,
    secret: str | None,
    keep_old: float,
    drop_old: bool,  # noqa: FBT001  # click calls it so
) -> None:
    """Give a subscription a new secret, which is shown once."""
    body: dict[str, Any] = {"keep_old_seconds": 0 if drop_old else keep_old}
    reply = await server.post(
        "webhooks", webhook_id, "rotate-secret", body=body if secret is None else body | {"secret": secret}
    )
    session.show(reply, lambda: _print_secret(reply.value()))


@webhook.command()
@webhook_argument
@asks_server
async def test(server: Server, session: Session, webhook_id: str) -> int:
    """Send a test, and tell what comes of it: exit code 1 when it is not delivered."""
    reply = await server.post("webhooks", webhook_id, "test")
    reply = await after_first_attempt(server, session, str(reply.value().get("id")))
    session.show(reply, lambda: tell_delivery(reply.value()))
    return OK if reply.value().get("state") == "delivered" else FAILED


@webhook.command("event-types")
@asks_server
async def event_types(server: Server, session: Session) -> None:
    """List the types of events; --output json has their schemas and examples."""
    reply = await server.get("webhooks", "event-types")
    session.show(reply, lambda: print_table(EVENT_TYPES, reply.items("event_types"), empty="no event types"))


add_delivery_commands(webhook)


def _print_secret(value: dict[str, Any]) -> None:
    names = ("id", "url", "event_types", "is_enabled", "secret")
    print_record([(name, value.get(name)) for name in names])
    click.echo("the secret is shown this once: keep it where the receiver finds it", err=True)
