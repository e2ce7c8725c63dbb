"""Writes docs/reference/command-line.md from the commands themselves: `python -m tests.cli_reference`."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import click

from entrypoints.cli.exit_codes import KINDS, MEANINGS
from entrypoints.cli.main import factflow
from entrypoints.cli.server import NAME, server

PAGE = Path(__file__).resolve().parents[1] / "docs" / "reference" / "command-line.md"
NOTE = "<!-- Generated from the code by `python -m tests.cli_reference`; do not edit. -->"

HEAD = """# The command line

{note}

`{server}` runs and looks after a server; `factflow` is for whoever uses one.
Neither shows a traceback: an error is one line on standard error with its code, and each line after it is a hint.
Results go to standard output and everything else to standard error, so a pipe gets results alone.
Tables are fitted to a terminal; in a pipe they are plain lines, one for each row, without colours.
`--output json` prints the server's own JSON, byte for byte.
A duration is written as `30s`, `10m` or `1h30m`.
The options of `factflow` itself go before a command or after it.

## Exit codes

| code | meaning |
| --- | --- |"""


def page() -> str:
    """The whole page."""
    lines = [HEAD.format(note=NOTE, server=NAME)]
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
    for paragraph in " ".join(text.split("\n")).split("  "):
        for sentence in re.split(r"(?<=[.:?]) +(?=[A-Z])", paragraph.strip()):
            if sentence:
                yield sentence if sentence.endswith((".", ":", "?")) else sentence + "."


def row(option: click.Option, context: click.Context) -> str:
    """An option as click itself words it."""
    record = option.get_help_record(context)
    names, meaning = record or ("", "")
    return (
        f"| `{names.replace('|', chr(92) + '|')}` | {' '.join(meaning.split()).replace('|', chr(92) + '|')} |"
    )


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
