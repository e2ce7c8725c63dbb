"""How many tokens any stretch of a text has, after tokenising the text once."""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import Callable, Sequence
from operator import sub
from typing import TypeAlias

Offsets: TypeAlias = Callable[[str], Sequence[tuple[int, int]]]

# A tokenizer is given at most so many characters at once, which bounds the memory of what it returns.
WINDOW_CHARACTERS = 32_768
# A word no tokenizer knows can be one token of a megabyte, and unknown characters none at all:
# such stretches count as a token for every so many characters.
LONG_TOKEN_CHARACTERS = 48
LONG_GAP_CHARACTERS = 256


class TokenCounts:
    """The places at which the tokens of a text begin, 4 bytes each.

    A token belongs to the stretch in which it begins.
    """

    def __init__(self, text: str, offsets: Offsets) -> None:
        self._starts = array("I")
        self._length = len(text)
        position = 0
        while position < len(text):
            end = _window_end(text, position)
            self._add(position, offsets(text[position:end]))
            position = end

    def count(self, start: int, end: int) -> int:
        """The tokens of ``text[start:end]``."""
        return bisect_left(self._starts, end) - bisect_left(self._starts, start)

    def after(self, start: int, tokens: int) -> int:
        """The largest ``end`` for which ``text[start:end]`` has at most that many tokens; beyond ``start``."""
        index = bisect_left(self._starts, start) + tokens
        return max(self._starts[index], start + 1) if index < len(self._starts) else self._length

    def before(self, end: int, tokens: int) -> int:
        """The smallest ``start`` for which ``text[start:end]`` has at most that many tokens, at a token's beginning."""
        index = bisect_left(self._starts, end) - tokens
        return self._starts[max(index, 0)] if tokens > 0 and self._starts else end

    def _add(self, base: int, ranges: Sequence[tuple[int, int]]) -> None:
        if _is_ordinary(ranges):
            self._starts.extend(base + start for start, _ in ranges)
        else:
            self._add_one_by_one(base, ranges)

    def _add_one_by_one(self, base: int, ranges: Sequence[tuple[int, int]]) -> None:
        starts = self._starts
        gap_start = base
        for start, end in ranges:
            first, last = base + start, base + end
            if first - gap_start > LONG_GAP_CHARACTERS:
                starts.extend(range(gap_start, first, LONG_GAP_CHARACTERS))
            starts.append(first)
            if end - start > LONG_TOKEN_CHARACTERS:
                starts.extend(range(first + LONG_TOKEN_CHARACTERS, last, LONG_TOKEN_CHARACTERS))
            gap_start = last


def _is_ordinary(ranges: Sequence[tuple[int, int]]) -> bool:
    """Whether no token and no gap is long, as far as the distances between tokens tell."""
    if not ranges:
        return True
    firsts = [start for start, _ in ranges]
    widest = max(map(sub, firsts[1:], firsts), default=0)
    return max(firsts[0], widest, ranges[-1][1] - firsts[-1]) <= LONG_TOKEN_CHARACTERS


def _window_end(text: str, start: int) -> int:
    end = start + WINDOW_CHARACTERS
    if end >= len(text):
        return len(text)
    half = start + WINDOW_CHARACTERS // 2
    cut = max(text.rfind("\n", half, end), text.rfind(" ", half, end))
    return cut if cut > start else end
