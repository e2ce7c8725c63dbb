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
    """The global options, each None unless given; ``settle`` takes the others from a profile.

    A command knows how long it may take: ``timeout_seconds`` stays None where nobody says.
    """

    url: str | None = None
    api_key: str | None = None
    timeout_seconds: float | None = None
    output: str | None = None
    profile: str | None = None

    @property
    def is_for_programs(self) -> bool:
        """Whether a program reads what is printed."""
        return self.output in {"json", "yaml"}

    def settle(self, environment: Mapping[str, str]) -> None:
        """Take from the profile what no option and no variable says; raises ConfigFileBroken, UnknownProfile.

        The key of a profile goes to the profile's own server alone.
        """
        from entrypoints.cli.profiles import config_file, profile_of

        profile = profile_of(config_file(environment), self.profile)
        own = profile.url or DEFAULT_URL
        self.url = self.url or own
        if self.api_key is None and server_url(self.url) == server_url(own):
            self.api_key = profile.api_key
        self.timeout_seconds = self.timeout_seconds or profile.timeout_seconds
        self.output = self.output or profile.output

    def seconds(self, usual: float) -> float:
        """The time a command may take."""
        return self.timeout_seconds or usual

    def server(self, usual_seconds: float = REQUEST_SECONDS) -> Server:
        """The server to ask, not yet opened."""
        from entrypoints.cli.client import Server

        if self.api_key and not (self.api_key.isascii() and self.api_key.isprintable()):
            raise UnusableKey
        return Server(
            server_url(self.url or DEFAULT_URL),
            api_key=self.api_key,
            timeout_seconds=self.seconds(usual_seconds),
        )

    def show(self, reply: Reply, as_table: Callable[[], None]) -> None:
        """Print what the server said: its very JSON or the same as YAML for programs, a table for people."""
        if self.is_for_programs:
            self.print_json(reply.body)
        else:
            as_table()

    def print_json(self, content: bytes) -> None:
        """Print JSON as it is, or as a YAML document."""
        if self.output == "yaml":
            from entrypoints.composition.yaml_output import yaml_of

            content = yaml_of(content)
        write_bytes(content if content.endswith(b"\n") else content + b"\n")


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
    *,
    usual_seconds: float = REQUEST_SECONDS,
    goes_on: str = "",
) -> Callable[P, int | None]:
    """Let a command be given an open server and the session first; an answer may take so long unless somebody says.

    ``goes_on`` is said of an answer that was not waited for.
    """

    @functools.wraps(command)
    def asking(*args: P.args, **kwargs: P.kwargs) -> int | None:
        import asyncio

        session = click.get_current_context().find_object(Session) or Session()
        session.settle(os.environ)

        async def ask() -> int | None:
            from entrypoints.cli.client import NoAnswerInTime

            async with session.server(usual_seconds) as server:
                try:
                    return await command(server, session, *args, **kwargs)
                except NoAnswerInTime as error:
                    if goes_on:
                        error.add_note(goes_on)
                    raise

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


def _server_options(about: Mapping[str, Any]) -> list[click.Option]:
    def variable(name: str) -> str | None:
        return (
            None if about["hidden"] else name
        )  # read once, at the first place, so that a flag goes before it

    return [
        click.Option(
            ["--profile"],
            envvar=variable("FACTFLOW_PROFILE"),
            metavar="NAME",
            callback=_set("profile"),
            help="The profile to use, of ~/.config/factflow/config.toml. [FACTFLOW_PROFILE]",
            **about,
        ),
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
    ]


def global_options(*, is_hidden: bool) -> list[click.Option]:
    """The options that every command takes, before or after its name; ``is_hidden`` leaves them out of a help text."""
    about: Mapping[str, Any] = {"expose_value": False, "hidden": is_hidden}
    return [
        *_server_options(about),
        click.Option(
            ["--timeout"],
            type=Duration(),
            metavar="DURATION",
            callback=_set("timeout_seconds"),
            help="How long the command may take: 30s, 10m, 1h30m. [default: 1m, chat 5m, waiting 1h, building an index 24h]",
            **about,
        ),
        click.Option(
            ["--output"],
            type=click.Choice(["table", "json", "yaml"]),
            callback=_set("output"),
            help="Tables for people, the server's own JSON, or the same as YAML. [default: table]",
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
