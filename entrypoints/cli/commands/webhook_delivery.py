"""`factflow webhook`: what became of deliveries, and sending them again."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, TypeVar

import click

from domain.errors import Invalid, Unavailable
from entrypoints.cli.client import Reply, Server
from entrypoints.cli.commands.dead_letter import Moment
from entrypoints.cli.exit_codes import FAILED, OK
from entrypoints.cli.paging import limit_option, offset_option, print_page
from entrypoints.cli.session import REQUEST_SECONDS, ClientCommand, Session, asks_server
from entrypoints.cli.tables import Column, moment, print_record, print_table

LOOK_SECONDS = 0.2
WAIT_SECONDS = 600.0
STATES = click.Choice(["pending", "delivered", "dead", "skipped"])

Command = TypeVar("Command", bound=Callable[..., Any])


class WhichDeliveries(Invalid):
    """Name one delivery, or give a filter, or --all."""

    code = "which_deliveries"


class StillDelivering(Unavailable):
    """It was still under way when the time was up; it goes on."""

    code = "still_delivering"


def answer_of(row: Mapping[str, Any]) -> object:
    """The last status, or why there was none."""
    return row.get("last_status") or row.get("last_failure") or row.get("status") or row.get("failure")


DELIVERIES = (
    Column("delivery", "id"),
    Column("event", "event_type"),
    Column("state", "state"),
    Column("attempts", "attempts", is_number=True),
    Column("answer", answer_of),
    Column("happened", lambda row: moment(row.get("occurred_at"))),
    Column("next", lambda row: moment(row["due_at"]) if row.get("due_at") else None),
)
ATTEMPTS = (
    Column("number", "number", is_number=True),
    Column("at", lambda row: moment(row.get("started_at"))),
    Column("ms", lambda row: f"{row.get('duration_ms') or 0:.0f}", is_number=True),
    Column("outcome", "outcome"),
    Column("answer", answer_of),
    Column("detail", lambda row: row.get("detail") or row.get("response_body")),
)


def filter_options(command: Command) -> Command:
    """The options that say which deliveries are meant."""
    for option in reversed(
        (
            click.option("--webhook", "subscription_id", metavar="WEBHOOK", help="To this subscription."),
            click.option("--event-type", metavar="TYPE", help="Of this type of events."),
            click.option("--status", type=int, help="With this last status."),
            click.option(
                "--failure", metavar="WHY", help="Without an answer, for this reason (timeout, dns)."
            ),
            click.option("--since", type=Moment(), metavar="MOMENT", help="Of what happened from then on."),
            click.option("--until", type=Moment(), metavar="MOMENT", help="Of what happened before then."),
        )
    ):
        command = option(command)
    return command


@click.command("deliveries", cls=ClientCommand)
@filter_options
@click.option("--state", type=STATES, help="In this state.")
@limit_option
@offset_option
@asks_server
async def deliveries(
    server: Server, session: Session, /, *, limit: int, offset: int, state: str | None, **wanted: Any
) -> None:
    """List deliveries, the latest first."""
    query = {**_given(wanted), "state": state, "limit": limit, "offset": offset}
    reply = await server.get("webhooks", "deliveries", query=query)
    session.show(reply, lambda: print_page(DELIVERIES, reply, "deliveries", empty="no deliveries"))


@click.command("delivery", cls=ClientCommand)
@click.argument("delivery_id", metavar="DELIVERY")
@asks_server
async def delivery(server: Server, session: Session, delivery_id: str) -> None:
    """Show a delivery with the body that is sent."""
    reply = await server.get("webhooks", "deliveries", delivery_id)
    session.show(reply, lambda: print_record(list(reply.value().items())))


@click.command("attempts", cls=ClientCommand)
@click.argument("delivery_id", metavar="DELIVERY")
@asks_server
async def attempts(server: Server, session: Session, delivery_id: str) -> None:
    """List the attempts at a delivery; --output json has headers and bodies."""
    reply = await server.get("webhooks", "deliveries", delivery_id, "attempts")
    session.show(reply, lambda: print_table(ATTEMPTS, reply.items("attempts"), empty="no attempts"))


@click.command("retry", cls=ClientCommand)
@click.argument("delivery_id", metavar="[DELIVERY]", required=False)
@filter_options
@click.option("--state", "states", type=STATES, multiple=True, help="In this state. [default: dead]")
@click.option("--all", "everything", is_flag=True, help="All the dead ones there are.")
@asks_server
async def retry(
    server: Server,
    session: Session,
    /,
    *,
    delivery_id: str | None,
    states: tuple[str, ...],
    everything: bool,
    **wanted: Any,
) -> int:
    """Send deliveries again: one DELIVERY, or those that the options mean."""
    body: dict[str, Any] = _given(wanted) | ({"states": list(states)} if states else {})
    if [delivery_id is not None, bool(body), everything].count(True) != 1:
        raise WhichDeliveries
    if delivery_id is not None:
        reply = await server.post("webhooks", "deliveries", delivery_id, "retry")
        session.show(reply, lambda: tell_delivery(reply.value()))
        return OK
    reply = await server.post("webhooks", "deliveries", "redrive", body={"all": True} if everything else body)
    return await _end(server, session, reply)


@click.command("replay", cls=ClientCommand)
@click.argument("webhook_id", metavar="WEBHOOK")
@click.option("--since", type=Moment(), required=True, metavar="MOMENT", help="From then on.")
@click.option("--include-delivered", is_flag=True, help="What it got already, too.")
@asks_server
async def replay(
    server: Server,
    session: Session,
    webhook_id: str,
    since: datetime,
    include_delivered: bool,  # noqa: FBT001  # click calls it so
) -> int:
    """Send a subscription again what has happened since a moment."""
    body = {"since": since.isoformat(), "include_delivered": include_delivered}
    reply = await server.post("webhooks", webhook_id, "replay", body=body)
    return await _end(server, session, reply)


def add_delivery_commands(group: click.Group) -> None:
    """Put these commands into a group."""
    for command in (deliveries, delivery, attempts, retry, replay):
        group.add_command(command)


def tell_delivery(value: Mapping[str, Any]) -> None:
    """Say in a line how a delivery stands."""
    answer = answer_of(value)
    told = "" if answer is None else f", the last answer was {answer}"
    click.echo(f"{value.get('id')} is {value.get('state')}{told}")


async def after_first_attempt(server: Server, session: Session, delivery_id: str) -> Reply:
    """A delivery once it has been tried."""

    async def look() -> Reply:
        return await server.get("webhooks", "deliveries", delivery_id)

    return await _once(server, session, look, lambda value: value.get("last_attempt_at") is not None)


async def _end(server: Server, session: Session, reply: Reply) -> int:
    job = str(reply.value().get("id"))

    async def look() -> Reply:
        return await server.get("webhooks", "redeliveries", job)

    reply = await _once(server, session, look, lambda value: value.get("status") != "running")
    value = reply.value()
    session.show(
        reply, lambda: click.echo(f"{value.get('status')}: {value.get('deliveries')} are sent again")
    )
    return OK if value.get("status") == "completed" else FAILED


async def _once(
    server: Server, session: Session, look: Callable[[], Any], is_over: Callable[[Mapping[str, Any]], bool]
) -> Reply:
    # Here and not above, so that `--help` need not load it.
    import asyncio

    deadline = time.monotonic() + session.seconds(WAIT_SECONDS)
    server.timeout_seconds = REQUEST_SECONDS
    while True:
        reply: Reply = await look()
        if is_over(reply.value()):
            return reply
        if time.monotonic() > deadline:
            raise StillDelivering
        await asyncio.sleep(LOOK_SECONDS)


def _given(wanted: Mapping[str, Any]) -> dict[str, Any]:
    return {
        name: value.isoformat() if isinstance(value, datetime) else value
        for name, value in wanted.items()
        if value is not None
    }
