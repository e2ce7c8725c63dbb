"""The blocks of a Markdown text, by one pass over its lines.

It follows CommonMark where that matters for cutting (headings, fences, tables, lists) and is lenient elsewhere: every
non-blank line belongs to exactly one block, and nothing makes it slower than linear.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from enum import Enum, auto
from typing import NamedTuple

MAX_HEADING_CHARACTERS = 300
# Shorter neighbours are joined, so that a text of a million one-letter paragraphs is not a million blocks.
MIN_TEXT_CHARACTERS = 48

_NON_BLANK = re.compile(r"\S")
_ATX = re.compile(r" {0,3}(#{1,6})(?:[ \t]|$)")
_UNDERLINE = re.compile(r" {0,3}(={3,}|-{3,})[ \t]*$")
_FENCE = re.compile(r"[ \t]*(`{3,}|~{3,})")
_ITEM = re.compile(r"[ \t]*(?:[-*+]|\d{1,9}[.)])[ \t]")
_DELIMITER_ROW = re.compile(r"[ \t]*(?:\|[ \t]*)?:?-+:?[ \t]*(?:\|[ \t]*:?-+:?[ \t]*)*(?:\|[ \t]*)?$")
# Most lines of most texts: they begin with a letter and can begin nothing but a paragraph (or a table).
_PLAIN = re.compile(r" {0,3}[^\W\d_]")
_INDENTED = re.compile(r" {4}|\t")
_ESCAPE = re.compile(r"\\([!-/:-@\[-`{-~])")


class Kind(Enum):
    """What a block is; code and tables are not cut if that can be helped."""

    HEADING = auto()
    TEXT = auto()
    ITEM = auto()
    CODE = auto()
    TABLE = auto()

    @property
    def is_atomic(self) -> bool:
        """Whether a cut through it would spoil it."""
        return self in {Kind.CODE, Kind.TABLE}


class Block(NamedTuple):
    """Whole lines of the text: ``[start, end)`` in characters, without the last line's end.

    ``level`` is 1 to 6 for a heading, 0 otherwise.
    """

    kind: Kind
    start: int
    end: int
    level: int = 0


class _Line(NamedTuple):
    start: int
    end: int

    def matched(self, pattern: re.Pattern[str], text: str) -> re.Match[str] | None:
        return pattern.match(text, self.start, self.end)


def heading_title(text: str, heading: Block) -> str:
    """What a heading says, without its marks."""
    first = text[heading.start : heading.end].split("\n", 1)[0].strip()
    if match := _ATX.match(first):
        first = re.sub(r"(?:^|[ \t])#+$", "", first[match.end(1) :].strip()).strip()
    return " ".join(_ESCAPE.sub(r"\1", first).split())


def blocks(text: str, *, indented_code: bool = True) -> Iterator[Block]:
    """The blocks in order. Without ``indented_code`` lines indented by four are ordinary text."""
    pending: Block | None = None
    for block in _raw_blocks(text, indented_code=indented_code):
        if pending is not None and _is_joined(pending, block):
            pending = pending._replace(end=block.end)
            continue
        if pending is not None:
            yield pending
        pending = block
    if pending is not None:
        yield pending


def _is_joined(before: Block, after: Block) -> bool:
    return before.kind is after.kind is Kind.TEXT and after.end - before.start <= MIN_TEXT_CHARACTERS


def _raw_blocks(text: str, *, indented_code: bool) -> Iterator[Block]:
    position = 0
    before = Kind.TEXT
    while (line := _next_line(text, position)) is not None:
        block = _block_at(text, line, indented_code=indented_code and before is not Kind.ITEM)
        if block.kind is not Kind.TEXT or not text[block.start].isspace():
            before = block.kind
        yield block
        position = block.end + 1


def _next_line(text: str, position: int) -> _Line | None:
    """The first line at or after the position that is not blank."""
    found = _NON_BLANK.search(text, position)
    if found is None:
        return None
    start = text.rfind("\n", position, found.start()) + 1 or position
    return _Line(start, _line_end(text, found.start()))


def _line_end(text: str, position: int) -> int:
    end = text.find("\n", position)
    return len(text) if end < 0 else end


def _is_plain(text: str, line: _Line) -> bool:
    return line.matched(_PLAIN, text) is not None and text.find("|", line.start, line.end) < 0


def _block_at(text: str, line: _Line, *, indented_code: bool) -> Block:
    if _is_plain(text, line):
        return _paragraph(text, line, Kind.TEXT)
    heading = line.matched(_ATX, text)
    if heading is not None and line.end - line.start <= MAX_HEADING_CHARACTERS:
        return Block(Kind.HEADING, line.start, line.end, len(heading[1]))
    fence = _opening_fence(text, line)
    if fence is not None:
        return Block(Kind.CODE, line.start, _end_of_fenced(text, line.end, fence))
    if indented_code and line.matched(_INDENTED, text):
        return Block(Kind.CODE, line.start, _end_of_indented(text, line.end))
    if _is_table_head(text, line):
        return Block(Kind.TABLE, line.start, _end_of_table(text, line.end))
    return _paragraph(text, line, Kind.ITEM if line.matched(_ITEM, text) else Kind.TEXT)


def _opening_fence(text: str, line: _Line) -> str | None:
    match = line.matched(_FENCE, text)
    if match is None or (match[1][0] == "`" and text.find("`", match.end(), line.end) >= 0):
        return None
    return match[1]


def _end_of_fenced(text: str, position: int, fence: str) -> int:
    closing = re.compile(rf"^[ \t]*{fence[0]}{{{len(fence)},}}[ \t]*$", re.MULTILINE)
    match = closing.search(text, position + 1)
    return match.end() if match else len(text.rstrip())


def _end_of_indented(text: str, end: int) -> int:
    while (line := _next_line(text, end + 1)) is not None and line.matched(_INDENTED, text):
        end = line.end
    return end


def _is_table_head(text: str, line: _Line) -> bool:
    if text.find("|", line.start, line.end) < 0 or line.end >= len(text):
        return False
    below = _Line(line.end + 1, _line_end(text, line.end + 1))
    return text.find("|", *below) >= 0 and below.matched(_DELIMITER_ROW, text) is not None


def _end_of_table(text: str, end: int) -> int:
    while end < len(text):
        line = _Line(end + 1, _line_end(text, end + 1))
        if text.find("|", *line) < 0 and not line.matched(_DELIMITER_ROW, text):
            break
        end = line.end
    return end


def _paragraph(text: str, line: _Line, kind: Kind) -> Block:
    end = line.end
    while end < len(text):
        below = _Line(end + 1, _line_end(text, end + 1))
        if below.start == below.end:
            break
        if _is_plain(text, below):
            end = below.end
            continue
        underline = below.matched(_UNDERLINE, text)
        is_title = end == line.end and kind is Kind.TEXT and end - line.start <= MAX_HEADING_CHARACTERS
        if underline and is_title:
            return Block(Kind.HEADING, line.start, below.end, 1 if underline[1][0] == "=" else 2)
        if not _NON_BLANK.search(text, *below) or _interrupts(text, below):
            break
        end = below.end
    return Block(kind, line.start, end)


def _interrupts(text: str, line: _Line) -> bool:
    """Whether a line begins a block of its own although no blank line stands before it."""
    return bool(
        (line.matched(_ATX, text) and line.end - line.start <= MAX_HEADING_CHARACTERS)
        or line.matched(_ITEM, text)
        or _opening_fence(text, line) is not None
        or _is_table_head(text, line)
    )
