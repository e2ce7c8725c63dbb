"""`python -m factflow_server`: serve, worker, eval, doctor, migrate, make-key."""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import Any, TypeVar

import click

from entrypoints.cli import reporting
from entrypoints.settings import Settings, unknown_variables, variable
from factflow_server import __version__

Command = TypeVar("Command", bound=Callable[..., Any])
NAME = "python -m factflow_server"
SIDES = ("semantic", "keyword", "hybrid")


def main() -> int:
    """Run the server's command line; returns the exit code."""
    return reporting.run(server, NAME)


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, message="factflow-server %(version)s")
@click.option(
    "--debug", is_flag=True, help="Show where in the code an error arose, as FACTFLOW_DEBUG=1 does."
)
def server(debug: bool) -> None:  # noqa: FBT001  # a flag of the command line
    """Run a factflow server, and look after it.

    Documents in, cited answers out. The quickest start: serve --embedded
    """
    if debug:
        os.environ["FACTFLOW_DEBUG"] = "1"


def setting(name: str) -> Callable[[Command], Command]:
    """An option for a setting; its text is read with all the others, so that everything wrong is said at once."""
    meaning = next(item.metadata["meaning"] for item in fields(Settings) if item.name == name)
    return click.option(
        "--" + name.replace("_", "-"),
        metavar=name.rsplit("_", maxsplit=1)[-1].upper(),
        help=f"{meaning} [{variable(name)}]",
    )


@server.command()
@click.option("--embedded", is_flag=True, help="Bring PostgreSQL, queue, storage and model along: no set-up.")
@click.option(
    "--no-routes", is_flag=True, help="Answer requests only, and leave messages to workers on a shared queue."
)
@setting("host")
@setting("port")
@setting("data_dir")
@setting("docs")
@setting("name")
@setting("log_level")
@setting("log_format")
def serve(embedded: bool, no_routes: bool, **flags: str | None) -> int:  # noqa: FBT001  # flags of the command line
    """Start a server; Ctrl-C stops it.

    Without --embedded it needs a PostgreSQL (FACTFLOW_DATABASE_URL). With a RabbitMQ (FACTFLOW_QUEUE_URL) and a
    storage that all can reach (FACTFLOW_STORAGE_URL) any number of servers and workers share the work.
    """
    settings = settings_of(flags | {"routes": "0"} if no_routes else flags)
    from entrypoints.serve import run

    return run(settings, embedded=embedded) or 0


@server.command()
@setting("name")
@setting("data_dir")
@setting("drain_seconds")
@setting("log_level")
@setting("log_format")
def worker(**flags: str | None) -> int:
    """Process what servers on the same database and queue start, until a signal comes.

    The first signal lets what is at work come to its end; a second one has the rest handed back.
    """
    settings = settings_of(flags)
    from entrypoints.worker import run

    return run(settings) or 0


@server.command("eval")
@click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option(
    "--mode", type=click.Choice([*SIDES, "all"]), default="all", show_default=True, help="What to evaluate."
)
@click.option(
    "--output", type=click.Choice(["table", "json"]), default="table", show_default=True, help="How to print."
)
@setting("data_dir")
def evaluate(folder: Path, mode: str, output: str, **flags: str | None) -> int:
    """Measure retrieval on a BEIR-format FOLDER: nDCG@10, AP and recall@100 of each mode.

    The documents go through the shipped pipeline into an index of their own, which is thrown away afterwards.
    """
    settings = settings_of(flags)
    from entrypoints.evaluate import run

    return run(settings, folder=folder, modes=SIDES if mode == "all" else (mode,), output=output) or 0


@server.command()
@click.option(
    "--output", type=click.Choice(["table", "json"]), default="table", show_default=True, help="How to print."
)
@setting("host")
@setting("port")
@setting("data_dir")
@setting("docs")
def doctor(output: str, **flags: str | None) -> int:
    """Check whether a server could run on this machine; exit code 1 when it could not.

    It changes nothing. The database, the queue and the storage whose addresses are set are asked, for 20 seconds at
    most.
    """
    from entrypoints.cli.doctor import examine

    return examine(os.environ, flags, output=output)


@server.command()
@click.option(
    "--output", type=click.Choice(["table", "json"]), default="table", show_default=True, help="How to print."
)
@setting("data_dir")
def migrate(output: str, **flags: str | None) -> int:
    """Bring the database's tables up to this version, and say what was done."""
    settings = settings_of(flags)
    from entrypoints.migrate import run

    return run(settings, output=output) or 0


@server.command("make-key")
@click.option("--environment", default="live", show_default=True, help="The environment that the key names.")
def make_key(environment: str) -> None:
    """Print a new API key, for FACTFLOW_BOOTSTRAP_KEY; nothing knows it yet."""
    from domain.access.key_text import RANDOM_BYTES, key_text

    click.echo(key_text(environment, secrets.token_bytes(RANDOM_BYTES)))


def settings_of(flags: dict[str, str | None]) -> Settings:
    """The settings of flags and environment; points out variables that nothing reads."""
    settings = Settings.read(os.environ, flags)
    for warning in unknown_variables(os.environ):
        click.echo(f"warning: {warning}", err=True)
    return settings
