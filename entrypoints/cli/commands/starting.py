"""Starts an execution, for `config run` and `execution run`."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import click

from entrypoints.cli.client import Query, Server
from entrypoints.cli.exit_codes import OK
from entrypoints.cli.names import config_id_of
from entrypoints.cli.session import Session

Command = TypeVar("Command", bound=Callable[..., Any])
_OPTIONS = (
    click.argument("name", metavar="CONFIG"),
    click.option("--tag", help="A unique name for the execution."),
    click.option(
        "--set",
        "overrides",
        multiple=True,
        metavar="KEY=VALUE",
        help="A field of the first message's payload, as `url=…` or `filter.lang=en`; what stands beside it stays.",
    ),
    click.option(
        "--skip-init-message",
        is_flag=True,
        help="Send no first message; a run without one completes at once.",
    ),
    click.option("--wait", is_flag=True, help="Wait until it is over; exit code 1 unless it completed."),
)


def starting_options(command: Command) -> Command:
    """What a command that starts an execution can be told: the arguments of `start_and_tell`."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


async def start_and_tell(
    server: Server,
    session: Session,
    name: str,
    *,
    tag: str | None,
    overrides: Sequence[str],
    skip_init_message: bool,
    wait: bool,
) -> int:
    """Run a config; prints the execution, or waits for its end."""
    if overrides and skip_init_message:
        raise click.UsageError("--set changes the first message, and --skip-init-message sends none")
    payload = overrides_of(overrides)
    query: Query = {"tag": tag, "skip_init_message": skip_init_message or None}
    identifier = await config_id_of(server, name)
    body = {"init_payload_overrides": payload} if payload else {}
    reply = await server.post("configs", identifier, "run", query=query, body=body)
    execution_id = str(reply.value().get("id"))
    if wait:
        from entrypoints.cli.commands.waiting import WAIT_SECONDS, wait_until_over

        return await wait_until_over(server, session, execution_id, seconds=session.seconds(WAIT_SECONDS))
    session.show(reply, lambda: click.echo(execution_id))
    return OK


def overrides_of(texts: Sequence[str]) -> dict[str, Any]:
    """`limit=5`, `url=https://a.b`, `filter.lang=en`: JSON where the value is JSON, text otherwise."""
    payload: dict[str, Any] = {}
    for text in texts:
        path, separator, value = text.partition("=")
        *parents, last = path.split(".")
        if not separator or not all([*parents, last]):
            raise click.UsageError(f"--set takes KEY=VALUE, not {text!r}")
        place = payload
        for parent in parents:
            place = place.setdefault(parent, {})
            if not isinstance(place, dict):
                raise click.UsageError(f"--set gives {path!r} both a value and fields")
        place[last] = _value(value)
    return payload


def _value(text: str) -> Any:
    try:
        return json.loads(text, parse_constant=_refused)
    except (ValueError, RecursionError):
        return text


def _refused(constant: str) -> None:
    raise ValueError(constant)
