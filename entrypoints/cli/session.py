"""What holds for every client command: the global options, and how a command reaches its server."""

from __future__ import annotations

import functools
import ipaddress
import os
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec
from urllib.parse import urlsplit

import click

from domain.errors import Invalid
from entrypoints.cli.durations import Duration
from entrypoints.cli.streams import write_bytes

if TYPE_CHECKING:
    from entrypoints.cli.client import Reply, Server

P = ParamSpec("P")
DEFAULT_URL = "http://127.0.0.1:8000"
REQUEST_SECONDS = 60.0


class InvalidAddress(Invalid):
    """The server's address is not one."""

    code = "invalid_address"


class UnusableKey(Invalid):
    """An API key is printable ASCII characters on one line."""

    code = "unusable_api_key"


@dataclass(slots=True)
class Session:
    """The global options. ``timeout_seconds`` is None unless given: a command knows how long it may take."""

    url: str = DEFAULT_URL
    api_key: str | None = None
    timeout_seconds: float | None = None
    output: str = "table"

    @property
    def wants_json(self) -> bool:
        """Whether a program reads what is printed."""
        return self.output == "json"

    def seconds(self, usual: float) -> float:
        """The time a command may take."""
        return self.timeout_seconds or usual

    def server(self, usual_seconds: float = REQUEST_SECONDS) -> Server:
        """The server to ask, not yet opened."""
        from entrypoints.cli.client import Server

        if self.api_key and not (self.api_key.isascii() and self.api_key.isprintable()):
            raise UnusableKey
        return Server(server_url(self.url), api_key=self.api_key, timeout_seconds=self.seconds(usual_seconds))

    def show(self, reply: Reply, as_table: Callable[[], None]) -> None:
        """Print what the server said: its very JSON for programs, a table for people."""
        if self.wants_json:
            write_bytes(reply.body if reply.body.endswith(b"\n") else reply.body + b"\n")
        else:
            as_table()


def server_url(text: str) -> str:
    """An address without its last slash and without the API's path; raises InvalidAddress."""
    try:
        parts = urlsplit(text.strip() if "://" in text else "http://" + text.strip())
        is_one = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError as error:
        raise InvalidAddress(f"{text!r} is no address such as {DEFAULT_URL}") from error
    if not is_one or not text.strip().isprintable() or parts.query or parts.fragment:
        raise InvalidAddress(f"{text!r} is no address such as {DEFAULT_URL}")
    if parts.username is not None:
        raise InvalidAddress("a key does not belong in the address; --api-key or FACTFLOW_API_KEY sends one")
    path = parts.path.rstrip("/").removesuffix("/api/v1")
    return f"{parts.scheme}://{_reachable(parts.hostname or '', parts.netloc)}{path}"


def _reachable(host: str, place: str) -> str:
    """Where a server that listens on every address is reached from here."""
    try:
        if not ipaddress.ip_address(host).is_unspecified:
            return place
    except ValueError:
        return place
    return place.replace("0.0.0.0", "127.0.0.1").replace("[::]", "[::1]")  # noqa: S104  # an address to replace


def asks_server(
    command: Callable[Concatenate[Server, Session, P], Coroutine[Any, Any, int | None]],
) -> Callable[P, int | None]:
    """Let a command be given an open server and the session first."""

    @functools.wraps(command)
    def asking(*args: P.args, **kwargs: P.kwargs) -> int | None:
        import asyncio

        session = click.get_current_context().find_object(Session) or Session()

        async def ask() -> int | None:
            async with session.server() as server:
                return await command(server, session, *args, **kwargs)

        return asyncio.run(ask())

    return asking


def _set(name: str) -> Callable[[click.Context, click.Parameter, Any], None]:
    def callback(context: click.Context, _: click.Parameter, value: Any) -> None:
        if value is not None:
            setattr(context.ensure_object(Session), name, value)

    return callback


def _show_tracebacks(_: click.Context, __: click.Parameter, value: bool) -> None:  # noqa: FBT001  # click calls it so
    if value:
        os.environ["FACTFLOW_DEBUG"] = "1"


def global_options(*, is_hidden: bool) -> list[click.Option]:
    """The options that every command takes, before or after its name; ``is_hidden`` leaves them out of a help text."""
    about: Mapping[str, Any] = {"expose_value": False, "hidden": is_hidden}

    def variable(name: str) -> str | None:
        return None if is_hidden else name  # read once, at the first place, so that a flag goes before it

    return [
        click.Option(
            ["--url"],
            envvar=variable("FACTFLOW_URL"),
            metavar="URL",
            callback=_set("url"),
            help=f"The server to talk to. [FACTFLOW_URL; default: {DEFAULT_URL}]",
            **about,
        ),
        click.Option(
            ["--api-key"],
            envvar=variable("FACTFLOW_API_KEY"),
            metavar="KEY",
            callback=_set("api_key"),
            help="The key to send, as Authorization: Bearer. [FACTFLOW_API_KEY]",
            **about,
        ),
        click.Option(
            ["--timeout"],
            type=Duration(),
            metavar="DURATION",
            callback=_set("timeout_seconds"),
            help="How long the command may take: 30s, 10m, 1h30m. [default: 1m, chat 5m, waiting 1h]",
            **about,
        ),
        click.Option(
            ["--output"],
            type=click.Choice(["table", "json"]),
            callback=_set("output"),
            help="Tables for people, or the server's own JSON. [default: table]",
            **about,
        ),
        click.Option(
            ["--debug"],
            is_flag=True,
            callback=_show_tracebacks,
            help="Show where in the code an error arose. [FACTFLOW_DEBUG]",
            **about,
        ),
    ]


class ClientCommand(click.Command):
    """A command that takes the global options after its name too."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        names = {parameter.name for parameter in self.params}
        self.params += [option for option in global_options(is_hidden=True) if option.name not in names]


class ClientGroup(click.Group):
    """A group of such commands that takes the global options too."""

    command_class = ClientCommand

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.params += global_options(is_hidden=True)
