"""Tables and records for people: fitted to a terminal, plain aligned text anywhere else."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from entrypoints.cli.streams import harmless, one_line

if TYPE_CHECKING:
    from rich.console import Console

Row = Mapping[str, Any]
NOTHING = "-"
LONGEST_WORD = 36
"""An id's length: no column needs to be broader."""


@dataclass(frozen=True, slots=True)
class Column:
    """One column: its heading, and how a row's cell is made, the member of that name unless said otherwise."""

    heading: str
    cell: Callable[[Row], object] | str
    is_number: bool = False

    def text(self, row: Row) -> str:
        """The cell on one line, with nothing in it that a terminal would obey."""
        value = row.get(self.cell) if isinstance(self.cell, str) else self.cell(row)
        return one_line(in_words(value)) or NOTHING


def in_words(value: object) -> str:
    """A JSON value as a person reads it."""
    if value is None:
        return NOTHING
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.3f}" if abs(value) < 100 else f"{value:,.0f}"
    if isinstance(value, list | tuple):
        return ", ".join(in_words(item) for item in value) or NOTHING
    if isinstance(value, dict):
        return ", ".join(f"{name}={in_words(item)}" for name, item in value.items()) or NOTHING
    return str(value)


def moment(value: object) -> str:
    """An ISO 8601 moment in the time of this machine, to the second."""
    try:
        return datetime.fromisoformat(str(value)).astimezone().strftime("%Y-%m-%d %H:%M:%S")
    except (ValueError, OverflowError, OSError):
        return in_words(value)


def age(value: object) -> str:
    """How long ago a moment is, short: `42 s`, `3 h`, `12 d`."""
    try:
        seconds = int((datetime.now(UTC) - datetime.fromisoformat(str(value))).total_seconds())
    except (ValueError, TypeError, OverflowError):
        return in_words(value)
    units = ((86_400, "d"), (3600, "h"), (60, "m"), (1, "s"))
    return next((f"{seconds // size} {unit}" for size, unit in units if seconds >= size), "now")


def print_table(columns: Sequence[Column], rows: Sequence[Row], *, empty: str) -> None:
    """Print rows under headings; ``empty`` is said, on standard error, when there are none."""
    if not rows:
        sys.stderr.write(empty + "\n")
        return
    cells = [[column.text(row) for column in columns] for row in rows]
    if sys.stdout.isatty():
        print_fitted(columns, cells, terminal())
    else:
        sys.stdout.write(aligned(columns, cells))


def aligned(columns: Sequence[Column], cells: Sequence[Sequence[str]]) -> str:
    """One line a row, whatever its width: what programs such as grep and awk take."""
    lines = [[column.heading.upper() for column in columns], *cells]
    widths = [max(len(line[index]) for line in lines) for index in range(len(columns))]
    return "".join(
        "  ".join(
            text.rjust(width) if column.is_number else text.ljust(width)
            for text, width, column in zip(line, widths, columns, strict=True)
        ).rstrip()
        + "\n"
        for line in lines
    )


def print_fitted(columns: Sequence[Column], cells: Sequence[Sequence[str]], console: Console) -> None:
    """A table where it fits; else the first column, the id, on a line of its own; else a record a row."""
    if _least_width(columns, cells) <= console.width:
        _print_table(columns, cells, console)
    elif _least_width(columns[1:], [line[1:] for line in cells]) + 2 <= console.width:
        _print_below_ids(columns, cells, console)
    else:
        for line in cells:
            pairs = [(column.heading, text) for column, text in zip(columns, line, strict=True)]
            console.print(record(pairs), end="\n\n", soft_wrap=True)


def _print_table(columns: Sequence[Column], cells: Sequence[Sequence[str]], console: Console) -> None:
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, header_style="bold")
    for index, column in enumerate(columns):
        table.add_column(
            Text(column.heading),
            justify="right" if column.is_number else "left",
            overflow="fold",
            no_wrap=all(len(line[index]) <= LONGEST_WORD and " " not in line[index] for line in cells),
        )
    for line in cells:
        table.add_row(*map(Text, line))
    console.print(table)


def _print_below_ids(columns: Sequence[Column], cells: Sequence[Sequence[str]], console: Console) -> None:
    rest = aligned(columns[1:], [line[1:] for line in cells]).splitlines()
    firsts = [columns[0].heading.upper(), *(line[0] for line in cells)]
    for first, line in zip(firsts, rest, strict=True):
        console.print(first, style="bold", soft_wrap=True)
        console.print(f"  {line}", no_wrap=True, overflow="ellipsis")


def _least_width(columns: Sequence[Column], cells: Sequence[Sequence[str]]) -> int:
    """The width below which words would be cut: of each column its longest word, up to an id's length."""
    words = [
        max(len(word) for text in (column.heading, *(line[index] for line in cells)) for word in text.split())
        for index, column in enumerate(columns)
    ]
    return sum(min(width, LONGEST_WORD) + 2 for width in words) - 2


def print_record(pairs: Sequence[tuple[str, object]]) -> None:
    """Print names and values of one thing, a line each."""
    sys.stdout.write(record([(name, harmless(in_words(value))) for name, value in pairs]) + "\n")


def record(pairs: Sequence[tuple[str, str]]) -> str:
    """Names and values, a line each, the values under each other."""
    broad = max((len(name) for name, _ in pairs), default=0)
    return "\n".join(f"{name:<{broad}}  {text}".rstrip() for name, text in pairs)


def terminal() -> Console:
    """Standard output with nothing in the text taken for markup; NO_COLOR and pipes make it plain."""
    from rich.console import Console

    return Console(markup=False, highlight=False, emoji=False)


def passage(text: str, *, indent: int, longest: int = 300) -> str:
    """The beginning of a text, indented and fitted to the terminal."""
    import shutil
    import textwrap

    short = textwrap.shorten(text, longest, placeholder=" …")
    columns = max(shutil.get_terminal_size().columns, 30)
    return textwrap.fill(short, columns, initial_indent=" " * indent, subsequent_indent=" " * indent)
