"""`factflow execution replay`, `factflow execution replays` and `factflow replay`. EXECUTION is an id or a tag."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import click

from entrypoints.cli.client import Reply, Server
from entrypoints.cli.exit_codes import FAILED, OK
from entrypoints.cli.names import config_id_of, execution_id_of
from entrypoints.cli.paging import limit_option, offset_option, print_page
from entrypoints.cli.session import ClientCommand, Session, asks_server
from entrypoints.cli.streams import harmless
from entrypoints.cli.tables import Column, Row, age, print_record

Command = TypeVar("Command", bound=Callable[..., Any])
REPLAYS = (
    Column("id", "id"),
    Column("status", "status"),
    Column("source", "replay_source"),
    Column("dead", lambda row: (row.get("messages") or {}).get("dead"), is_number=True),
    Column("age", lambda row: age(row.get("started_at")), is_number=True),
    Column("tag", "tag"),
)
SOURCES = ("storage", "lineage", "manual")
_OPTIONS = (
    click.argument("name", metavar="EXECUTION"),
    click.option(
        "--from-path", metavar="PATH", help="Only stored objects whose keys go on so after the stage."
    ),
    click.option(
        "--config", metavar="CONFIG", help="Run this config, by id or name, in its present version."
    ),
    click.option("--tag", help="A unique name for the replay."),
    click.option("--dry-run", is_flag=True, help="Only say what would be replayed, or why it cannot be."),
    click.option("--wait", is_flag=True, help="Wait until it is over; exit code 1 unless it completed."),
)


def replay_options(command: Command) -> Command:
    """What both commands can be told besides stage and route."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


@click.command("replay", cls=ClientCommand)
@click.option("--from-stage", metavar="STAGE", help="The stage to begin at: <stage> or <route>/<stage>.")
@click.option(
    "--to-route", metavar="ROUTE", help="Where to send; by default the route that follows the stage."
)
@click.option(
    "--source", type=click.Choice(SOURCES), default="storage", help="Where messages are taken from."
)
@click.option("--key", "keys", multiple=True, metavar="KEY", help="A stored object, with --source manual.")
@click.option("--payload", "payloads", multiple=True, metavar="JSON", help="A message, with --source manual.")
@replay_options
@asks_server
async def execution_replay(server: Server, session: Session, /, name: str, **how: Any) -> int:
    """Run again what an execution kept at a stage, in a new execution, and print its id.

    With --dry-run nothing is started; the exit code is 1 when the replay could not be made.
    """
    body = {
        "replay_source": how["source"],
        "from_stage": how["from_stage"],
        "to_route": how["to_route"],
        "object_keys": list(how["keys"]) or None,
        "payloads": _payloads(how["payloads"]) or None,
        **await _common(server, how),
    }
    reply = await server.post("executions", name, "replay", body=_stated(body))
    return await _tell(server, session, reply, "id", **_rest(how))


@click.command(cls=ClientCommand)
@click.option("--from-stage", required=True, metavar="STAGE", help="The stage to begin at.")
@click.option("--to-route", required=True, metavar="ROUTE", help="Where to send.")
@replay_options
@asks_server
async def replay(server: Server, session: Session, /, name: str, **how: Any) -> int:
    """Send the stored objects of an execution's stage to a route, and print the new execution's id."""
    body = {
        "from_execution_id": await execution_id_of(server, name),
        "from_stage": how["from_stage"],
        "to_route": how["to_route"],
        **await _common(server, how),
    }
    reply = await server.post("replay", body=_stated(body))
    return await _tell(server, session, reply, "execution_id", **_rest(how))


@click.command("replays", cls=ClientCommand)
@click.argument("name", metavar="EXECUTION")
@limit_option
@offset_option
@asks_server
async def execution_replays(server: Server, session: Session, name: str, limit: int, offset: int) -> None:
    """List the replays of an execution, the latest first."""
    reply = await server.get("executions", name, "replays", query={"limit": limit, "offset": offset})
    session.show(reply, lambda: print_page(REPLAYS, reply, "executions", empty="no replays"))


async def _common(server: Server, how: dict[str, Any]) -> dict[str, Any]:
    config = how["config"]
    return {
        "from_path": how["from_path"],
        "config_id": None if config is None else await config_id_of(server, config),
        "tag": how["tag"],
        "dry_run": how["dry_run"],
    }


def _stated(body: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in body.items() if value is not None}


def _rest(how: dict[str, Any]) -> dict[str, bool]:
    return {"dry_run": how["dry_run"], "wait": how["wait"]}


async def _tell(
    server: Server, session: Session, reply: Reply, id_name: str, *, dry_run: bool, wait: bool
) -> int:
    if dry_run:
        session.show(reply, lambda: _print_plan(reply))
        return OK if reply.value().get("is_replayable") else FAILED
    execution_id = str(reply.value().get(id_name))
    if wait:
        from entrypoints.cli.commands.waiting import WAIT_SECONDS, wait_until_over

        return await wait_until_over(server, session, execution_id, seconds=session.seconds(WAIT_SECONDS))
    session.show(reply, lambda: click.echo(execution_id))
    return OK


def _print_plan(reply: Reply) -> None:
    plan = reply.value()
    shown = [
        ("can be replayed", "yes" if plan.get("is_replayable") else "no"),
        *((label, plan.get(name)) for label, name in _PLAN),
        ("messages", _at_least(plan, "objects_found")),
        ("bytes", _at_least(plan, "total_bytes")),
    ]
    print_record(shown)
    for key in plan.get("first_keys") or []:
        click.echo(f"  {harmless(str(key))}")
    for finding in reply.items("findings"):
        click.echo(
            harmless(f"{finding.get('severity')} {finding.get('code')}: {finding.get('message')}"), err=True
        )


_PLAN = (
    ("from execution", "from_execution_id"),
    ("from route", "from_route"),
    ("from stage", "from_stage"),
    ("to route", "to_route"),
    ("enters route", "enters_route"),
    ("to queue", "to_queue"),
)


def _at_least(plan: Row, name: str) -> str:
    return f"{plan.get(name)}" if plan.get("is_total_exact") else f"more than {plan.get(name)}"


def _payloads(texts: Sequence[str]) -> list[dict[str, Any]]:
    return [_payload(text) for text in texts]


def _payload(text: str) -> dict[str, Any]:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise click.UsageError(f"--payload takes a JSON object: {error}") from error
    if not isinstance(value, dict):
        raise click.UsageError("--payload takes a JSON object")
    return value
