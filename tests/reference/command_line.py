"""The pages of commands and settings, made from the commands and settings themselves."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from dataclasses import Field, fields
from typing import Any

import click

from entrypoints.cli.exit_codes import KINDS, MEANINGS
from entrypoints.cli.main import factflow
from entrypoints.cli.server import NAME, server
from entrypoints.settings import Settings, variable

HEAD = """# The command line

{note}

`{server}` runs and looks after a server; `factflow` is for whoever uses one.
Neither shows a traceback: an error is one line on standard error with its code, and each line after it is a hint.
Results go to standard output and everything else to standard error, so a pipe gets results alone.
Tables are fitted to a terminal; in a pipe they are plain lines, one for each row, without colours.
`--output json` prints the server's own JSON, byte for byte, and `--output yaml` the same as YAML.
A duration is written as `30s`, `10m` or `1h30m`.
The options of `factflow` itself go before a command or after it.

## Exit codes

| code | meaning |
| --- | --- |"""


SETTINGS_HEAD = """# Settings

{note}

A server reads each setting from its flag, else from its environment variable, else it takes the default.
A setting without a flag is set by its variable alone; [the command line](command-line.md) tells which command has which flags.
`factflow system settings` shows what a server was started with.
An empty variable counts as unset.
Every value that cannot be used is reported at once, with what it may be and where it came from, and the server does not start.
A variable that begins with `FACTFLOW_` and that nothing reads is pointed out.

## The server

| setting | variable | flag | default | what it may be | what it means |
| --- | --- | --- | --- | --- | --- |"""

SETTINGS_FOOT = """
## The client

The command `factflow` reads four variables of its own; the last one is read by the server's commands too.
A [file of profiles](../how-to/ask-from-the-command-line.md#keep-addresses-and-keys-in-profiles) can say the same.

| variable | default | what it means |
| --- | --- | --- |
| `FACTFLOW_URL` | `http://127.0.0.1:8000` | The server to talk to. |
| `FACTFLOW_API_KEY` | – | The key to send, as `Authorization: Bearer`. |
| `FACTFLOW_PROFILE` | – | The profile to use. |
| `FACTFLOW_DEBUG` | `0` | With `1`, an error shows where in the code it arose. |
"""


def _place(item: Field[Any]) -> tuple[bool, bool]:
    return item.name.endswith("_retention_days"), item.name.startswith(("webhook_", "chat_"))


def settings_page(note: str) -> str:
    """The page of settings."""
    known = flags()
    rows = (
        f"| {item.name} | `{variable(item.name)}` | {known.get(item.name, '–')} | {default(item)} "
        f"| {item.metadata['kind'].allowed} | {item.metadata['meaning']} |"
        # What a base states comes first in a dataclass; on the page the server's own come first.
        for item in sorted(fields(Settings), key=_place)
    )
    return "\n".join([SETTINGS_HEAD.format(note=note), *rows, SETTINGS_FOOT])


def flags() -> dict[str, str]:
    """The flag of each setting that has one, by the names of settings."""
    known = {item.name: item.name for item in fields(Settings)} | {"no_routes": "routes"}
    return {
        known[option.name]: f"`{option.opts[0]}`"
        for _, command in commands(NAME, server)
        for option in command.params
        if option.name in known
    }


def default(item: Field[Any]) -> str:
    """A default as a person would write it."""
    if item.metadata["shown"]:
        return str(item.metadata["shown"])
    if item.default is None:
        return "–"
    if isinstance(item.default, bool):
        return f"`{int(item.default)}`"
    return f"`{item.default:g}`" if isinstance(item.default, float) else f"`{item.default}`"


def commands_page(note: str) -> str:
    """The page of commands."""
    lines = [HEAD.format(note=note, server=NAME)]
    kinds = {code: kind.__name__ for kind, code in KINDS.items()}
    lines += [
        f"| {code} | {meaning}{f' (`{kinds[code]}`)' if code in kinds else ''} |"
        for code, meaning in MEANINGS.items()
    ]
    for name, command in ((NAME, server), ("factflow", factflow)):
        for path, each in commands(name, command):
            lines += ["", *section(path, each)]
    return "\n".join(lines) + "\n"


def commands(path: str, command: click.Command) -> Iterator[tuple[str, click.Command]]:
    """The command and everything below it, in the order of the alphabet."""
    yield path, command
    if isinstance(command, click.Group):
        for name in sorted(command.commands):
            yield from commands(f"{path} {name}", command.commands[name])


def section(path: str, command: click.Command) -> Iterator[str]:
    """Heading, usage, what it does, and its options."""
    yield f"## {path}"
    context = click.Context(command, info_name=path)
    yield ""
    yield "```text"
    yield f"{path} {' '.join(command.collect_usage_pieces(context))}"
    yield "```"
    yield ""
    yield from sentences(command.help or "")
    shown = [each for each in command.params if isinstance(each, click.Option) and not each.hidden]
    if shown:
        yield from ("", "| option | meaning |", "| --- | --- |")
        yield from (row(option, context) for option in shown)


def sentences(text: str) -> Iterator[str]:
    """A help text with one sentence on a line."""
    # click keeps the indentation of a docstring; an indented line is no paragraph of its own.
    for paragraph in re.split(r"\n\s*\n", inspect.cleandoc(text)):
        for sentence in re.split(r"(?<=[.:?]) +(?=[A-Z])", " ".join(paragraph.split())):
            if sentence:
                yield sentence if sentence.endswith((".", ":", "?")) else sentence + "."


def row(option: click.Option, context: click.Context) -> str:
    """An option as click itself words it."""
    record = option.get_help_record(context)
    names, meaning = record or ("", "")
    return (
        f"| `{names.replace('|', chr(92) + '|')}` | {' '.join(meaning.split()).replace('|', chr(92) + '|')} |"
    )
