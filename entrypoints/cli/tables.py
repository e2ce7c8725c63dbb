"""Tables and records for people: fitted to a terminal, plain aligned text anywhere else."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from entrypoints.cli.streams import harmless, one_line

if TYPE_CHECKING:
    from rich.console import Console

Row = Mapping[str, Any]
NOTHING = "-"


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
    """A table where it fits; one record a row where a terminal is too narrow to read one."""
    from rich.table import Table
    from rich.text import Text

    if _least_width(columns, cells) > console.width:
        for line in cells:
            pairs = [(column.heading, text) for column, text in zip(columns, line, strict=True)]
            console.print(record(pairs, width=console.width), soft_wrap=True)
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        table.add_column(
            Text(column.heading), justify="right" if column.is_number else "left", overflow="fold"
        )
    for line in cells:
        table.add_row(*map(Text, line))
    console.print(table)


def _least_width(columns: Sequence[Column], cells: Sequence[Sequence[str]]) -> int:
    """The width below which words would be cut: of each column its longest word, up to an id's length."""
    words = [
        max(
            len(word)
            for line in [[column.heading], *([line[index]] for line in cells)]
            for word in line[0].split()
        )
        for index, column in enumerate(columns)
    ]
    return sum(min(width, 36) + 2 for width in words)


def print_record(pairs: Sequence[tuple[str, object]]) -> None:
    """Print names and values of one thing, a line each."""
    sys.stdout.write(record([(name, harmless(in_words(value))) for name, value in pairs]) + "\n")


def record(pairs: Sequence[tuple[str, str]], *, width: int | None = None) -> str:
    """Names and values; with a width, a blank line after them sets one record off from the next."""
    broad = max((len(name) for name, _ in pairs), default=0)
    lines = [f"{name:<{broad}}  {text}".rstrip() for name, text in pairs]
    return "\n".join(lines) + ("\n" if width else "")


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
