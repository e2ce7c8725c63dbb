"""Cuts a block that is too large: at line ends or sentence ends, else between words, else anywhere."""

from __future__ import annotations

import re
from collections.abc import Iterator

from domain.segmentation.blocks import Block
from domain.segmentation.token_counts import TokenCounts

_SENTENCE_END = re.compile(r"[.!?…][\"')\]”’»]*\s+(?=[^a-z\d\s])|[。！？]|\n[ \t]*\n")  # noqa: RUF001
_LINE_END = re.compile(r"\n")
_WORD_END = re.compile(r"\s+")
_NON_BLANK = re.compile(r"\S")
# A cut that leaves less than this share of a piece is worse than one between words.
_LEAST_SHARE = 4


def cut(text: str, counts: TokenCounts, block: Block, limit: int) -> Iterator[tuple[int, int]]:
    """Ranges of at most ``limit`` tokens each, of about equal size, that hold every non-blank character of the block."""
    start, end = block.start, block.end
    while (tokens := counts.count(start, end)) > limit:
        pieces = -(-tokens // limit)
        aim = counts.after(start, -(-tokens // pieces))
        at = _place(text, start, aim, min(counts.after(start, limit), end), by_line=block.kind.is_atomic)
        yield start, at
        start = _next_start(text, at, end, by_line=block.kind.is_atomic)
    if start < end:
        yield start, end


def _place(text: str, start: int, aim: int, last: int, *, by_line: bool) -> int:
    """Where to end the piece that begins at ``start``: near ``aim``, not after ``last``."""
    least = start + (last - start) // _LEAST_SHARE
    patterns = (_LINE_END, _WORD_END) if by_line else (_SENTENCE_END, _LINE_END, _WORD_END)
    for pattern in patterns:
        ends = [end for match in pattern.finditer(text, start, last) if (end := match.end()) > least]
        if ends:
            return min(ends, key=lambda end: abs(end - aim))
    return last


def _next_start(text: str, at: int, end: int, *, by_line: bool) -> int:
    """Where the text goes on: past white space, but with the indentation of a line of code."""
    found = _NON_BLANK.search(text, at, end)
    if found is None:
        return end
    return max(text.rfind("\n", at, found.start()) + 1, at) if by_line else found.start()
