"""Citation markers (``[1]``, ``[2, 3]``) in an answer that arrives in pieces of any size."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

_LONGEST = 60
_FENCE = 3
_MARKER = rf" ?\[(?=[\d ,;]{{1,{_LONGEST}}}\]) ?\d{{1,3}}(?: ?[,;] ?\d{{1,3}})* ?\]"
_TOKEN = re.compile(rf"(?P<marker>{_MARKER})|(?P<ticks>`+)|(?P<newline>\n)")
# References to another list of sources than ours, ranges among them.
_FOREIGN = re.compile(
    r"(?P<marker> ?\[ ?\d{1,3}(?: ?[,;–-] ?\d{1,3})* ?\])|(?P<ticks>`+)|(?P<newline>\n)"  # noqa: RUF001 - a dash
)
# What may yet become a token, or part of a longer one, when more arrives.
_UNDECIDED = re.compile(rf"(?: ?\[[\d ,;]{{0,{_LONGEST}}}| |(?<!`)`+)\Z")


@dataclass(frozen=True, slots=True)
class Written:
    """Text without a marker."""

    text: str


@dataclass(frozen=True, slots=True)
class Marked:
    """One marker with the numbers in it; ``text`` is how it was written, with the space before it if there was one."""

    numbers: tuple[int, ...]
    text: str

    @property
    def lead(self) -> str:
        """The space before it, or nothing."""
        return " " if self.text.startswith(" ") else ""


class MarkerReader:
    """Splits an answer into text and markers; where it is cut into pieces makes no difference.

    Code is left alone: ``array[1]`` between backticks cites nothing.
    """

    def __init__(self, token: re.Pattern[str] = _TOKEN) -> None:
        self._token = token
        self._held = ""
        self._opened = 0

    @property
    def code_fence(self) -> str:
        """What closes the code that the text has opened so far; empty outside code."""
        return "`" * self._opened

    def feed(self, piece: str) -> Iterator[Written | Marked]:
        """What the piece makes certain."""
        text = self._held + piece
        undecided = _UNDECIDED.search(text)
        certain = undecided.start() if undecided else len(text)
        self._held = text[certain:]
        yield from self._split(text[:certain])

    def end(self) -> Iterator[Written | Marked]:
        """What was held back until it was certain that nothing more comes."""
        text, self._held = self._held, ""
        yield from self._split(text)

    def _split(self, text: str) -> Iterator[Written | Marked]:
        written = 0
        for token in self._token.finditer(text):
            if token.lastgroup == "marker" and not self._opened:
                if written < token.start():
                    yield Written(text[written : token.start()])
                written = token.end()
                yield _marked(token[0])
            else:
                self._note(token)
        if written < len(text):
            yield Written(text[written:])

    def _note(self, token: re.Match[str]) -> None:
        """Keep how many backticks opened the code we are in; 0 stands for none."""
        run = len(token[0])
        if token.lastgroup == "newline":
            # Only a fence goes on over the end of a line.
            self._opened = self._opened if self._opened >= _FENCE else 0
        elif token.lastgroup == "ticks" and not self._opened:
            self._opened = run
        elif token.lastgroup == "ticks" and (run == self._opened or run > self._opened >= _FENCE):
            self._opened = 0


def without_markers(text: str) -> str:
    """A whole text without what reads like a marker or a range of them, code apart."""
    while True:
        reader = MarkerReader(_FOREIGN)
        parts = [*reader.feed(text), *reader.end()]
        if all(isinstance(part, Written) for part in parts):
            return text
        # What is left may close up to another one.
        text = "".join(part.text for part in parts if isinstance(part, Written))


def open_fence(text: str) -> str:
    """What would close the code that a whole text leaves open; empty when it leaves none."""
    reader = MarkerReader()
    for _ in (*reader.feed(text), *reader.end()):
        pass
    return reader.code_fence


def numbers_in(text: str) -> Sequence[int]:
    """The numbers of all markers in a whole text, in order."""
    reader = MarkerReader()
    marked = [part for part in (*reader.feed(text), *reader.end()) if isinstance(part, Marked)]
    return [number for part in marked for number in part.numbers]


def _marked(text: str) -> Marked:
    numbers = tuple(dict.fromkeys(int(number) for number in re.findall(r"\d+", text)))
    return Marked(numbers, text)
