"""Writes Markdown block by block: headings, paragraphs, list items, code and tables, indented as lists ask for."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

# Deeper lists are written as if they were this deep: indentation must not outgrow the text.
MAX_DEPTH = 8
MAX_COLUMNS = 100

_BLOCK_MARK = re.compile(r"(?m)^(#{1,6}(?=\s|$)|`{3}|~{3}|(?:=+|-{2,})(?=[ \t]*$))")
_ITEM = re.compile(r" *(?:-|\d+\.) ")
_FENCE_RUN = re.compile(r"`{3,}")


class _Open(NamedTuple):
    """A list that is open: how far its items' text is indented, and the number of the last item, 0 if it has none."""

    indent: str
    number: int
    is_ordered: bool


class MarkdownWriter:
    """Collects the blocks of one document."""

    def __init__(self) -> None:
        self.blocks: list[str] = []
        self.characters = 0
        self._lists: list[_Open] = []
        self._marker: str | None = None

    @property
    def text(self) -> str:
        """All that was written."""
        return joined(self.blocks)

    def heading(self, level: int, text: str) -> None:
        """A heading of level 1 to 6, on one line."""
        self._marker = None
        self._add(f"{'#' * level} {' '.join(text.split())}", "")

    def paragraph(self, text: str) -> None:
        """A paragraph; what would be read as the mark of another block at the start of a line is escaped."""
        self.characters += len(text)
        self._add(escaped(text), self._take_marker())

    def code(self, text: str, language: str = "") -> None:
        """A fenced code block, its text as it is."""
        self.characters += len(text)
        marker = self._take_marker()
        longest = max((len(run) for run in _FENCE_RUN.findall(text)), default=2)
        fence = "`" * max(3, longest + 1)
        self._add(f"{fence}{language}\n{text}\n{fence}", marker)

    def table(self, rows: Sequence[Sequence[str]]) -> None:
        """A table, the first row its head; one of a single column becomes paragraphs."""
        columns = max((len(row) for row in rows), default=0)
        if not 1 < columns <= MAX_COLUMNS:
            for row in rows:
                if text := " ".join(cell for cell in row if cell):
                    self.paragraph(text)
            return
        self.characters += sum(len(cell) for row in rows for cell in row)
        head = [*rows[0], *[""] * (columns - len(rows[0]))]
        lines = [_row(head), _row(["---"] * columns), *(_row(row) for row in rows[1:])]
        self._add("\n".join(lines), self._take_marker())

    def open_list(self, *, ordered: bool = False) -> None:
        """Begin a list within the item that is open."""
        above = self._lists[-1].indent if self._lists else ""
        width = (3 if ordered else 2) if len(self._lists) < MAX_DEPTH else 0
        self._lists.append(_Open(above + " " * width, 0, ordered))

    def close_list(self) -> None:
        """End the innermost list."""
        if self._lists:
            self._lists.pop()
        self._marker = None

    def item(self) -> None:
        """Begin an item: the next block bears its mark."""
        if not self._lists:
            self._marker = "- "
            return
        innermost = self._lists[-1]._replace(number=self._lists[-1].number + 1)
        self._lists[-1] = innermost
        self._marker = f"{innermost.number}. " if innermost.is_ordered else "- "

    def _take_marker(self) -> str:
        marker, self._marker = self._marker, None
        return marker or ""

    def _add(self, text: str, marker: str) -> None:
        indent = self._lists[-1].indent if self._lists else ""
        lines = text.split("\n")
        if marker:
            first = (self._lists[-2].indent if len(self._lists) > 1 else "") + marker
            indent = indent or "  "
        else:
            first = indent
        self.blocks.append(
            "\n".join([first + lines[0], *(indent + line if line else "" for line in lines[1:])])
        )


def escaped(text: str) -> str:
    """Text in which no line begins like a heading, a fence or an underline."""
    return _BLOCK_MARK.sub(r"\\\1", text)


def joined(blocks: Sequence[str]) -> str:
    """Blocks as one text: list items follow each other line by line, others after a blank line."""
    parts: list[str] = []
    before = ""
    for block in blocks:
        is_next_item = _ITEM.match(before) and _ITEM.match(block)
        parts += ["\n" if is_next_item else "\n\n", block] if parts else [block]
        before = block
    return "".join(parts)


def _row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(" ".join(cell.split()).replace("|", "\\|") for cell in cells) + " |"
