"""Where in a text the words stand that a query looks for."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from domain.retrieval.words import MARKS, UNSPACED, words

MAX_HIGHLIGHTS = 200
"""Stretches of one text that are pointed at, from its front."""

_STRETCH = re.compile(rf"(?:[^\W_]|[{MARKS}\u00ad])+")
_RUN = re.compile(rf"[{UNSPACED}]+|[^{UNSPACED}]+")
_IS_UNSPACED = re.compile(rf"[{UNSPACED}]")


@dataclass(frozen=True, slots=True)
class Stretch:
    """``text[start:end]``, which is one word or stands for several, as ``words`` would have it."""

    start: int
    end: int
    words: Sequence[str]


def stretches(text: str) -> Iterator[Stretch]:
    """The words of a text with their places; pairs of characters, in scripts without spaces, overlap."""
    for found in _STRETCH.finditer(text):
        raw, start = found.group(), found.start()
        if raw.isascii() or not _IS_UNSPACED.search(raw) or not _keeps_places(raw):
            yield Stretch(start, found.end(), words(raw))
            continue
        for run in _RUN.finditer(raw):
            if _IS_UNSPACED.match(run.group()):
                yield from _pairs(run.group(), start + run.start())
            else:
                yield Stretch(start + run.start(), start + run.end(), words(run.group()))


def highlights(
    text_stretches: Iterable[Stretch], is_wanted: Callable[[str], bool]
) -> Sequence[tuple[int, int]]:
    """Where the wanted words stand: start and end in characters, in order, apart from each other."""
    found: list[tuple[int, int]] = []
    for stretch in text_stretches:
        if not any(map(is_wanted, stretch.words)):
            continue
        if found and stretch.start < found[-1][1]:
            found[-1] = found[-1][0], max(stretch.end, found[-1][1])
        elif len(found) == MAX_HIGHLIGHTS:
            break
        else:
            found.append((stretch.start, stretch.end))
    return found


def _keeps_places(raw: str) -> bool:
    return len(unicodedata.normalize("NFKC", raw)) == len(raw)


def _pairs(run: str, start: int) -> Iterator[Stretch]:
    for at in range(max(1, len(run) - 1)):
        pair = run[at : at + 2]
        yield Stretch(start + at, start + at + len(pair), words(pair))
