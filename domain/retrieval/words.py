"""Which words a text has, for matching: the same for documents and queries, whatever the database's locale."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice

MAX_WORDS = 16_383
"""Words of one segment that are matched; a tsvector counts no positions beyond."""

MAX_CHARACTERS = 200_000
"""Characters of those words together; a tsvector holds less than 1 MiB."""

MAX_WORD_LENGTH = 64

# Combining marks, which `\w` leaves out although they are parts of words.
MARKS = (
    "\u0300-\u036f\u0483-\u0487\u0591-\u05bd\u05bf\u05c1\u05c2\u05c4\u05c5\u05c7\u0610-\u061a\u064b-\u065f\u0670"
    "\u06d6-\u06dc\u06df-\u06e4\u06e7\u06e8\u06ea-\u06ed\u0900-\u0963\u0966-\u0dff\u0e31\u0e34-\u0e3a\u0e47-\u0e4e"
    "\u0eb1-\u0ebc\u0ec8-\u0ece\u0f71-\u0f84\u102b-\u103e\u1056-\u109d\u17b4-\u17d3"
)
_ASCII_WORD = re.compile(r"[0-9a-z]+")
_WORD = re.compile(rf"(?:[^\W_]|[{MARKS}])+")

# Han, kana, Hangul, Thai, Lao, Burmese and Khmer: scripts that put no spaces between words, or glue particles on.
UNSPACED = (
    "\u0e01-\u0e4e\u0e81-\u0edf\u1000-\u109f\u1780-\u17d3\u3005-\u3007\u3041-\u30ff\u31f0-\u31ff\u3400-\u4dbf"
    "\u4e00-\u9fff\uac00-\ud7a3\uf900-\ufaff\U00020000-\U0003fffd"
)
_RUN = re.compile(rf"[{UNSPACED}]+|[^{UNSPACED}]+")
_IS_UNSPACED = re.compile(rf"[{UNSPACED}]")
_SOFT_HYPHEN = "\u00ad"


def words(text: str) -> Sequence[str]:
    """The words of a text in order, lower-cased, in NFKC: letters, digits and marks; all else separates.

    Runs of a script without spaces come as overlapping pairs of characters (as in Lucene's CJKBigramFilter).
    Words are cut at 64 characters, a text at its first 16,383 words or 200,000 characters of them.
    """
    normal = unicodedata.normalize("NFKC", text[: 2 * MAX_CHARACTERS]).replace(_SOFT_HYPHEN, "").lower()
    return _cut(_split(normal))


def matched_words(text: str, headings: Iterable[str]) -> Sequence[str]:
    """The words that a segment is found by: its own, after those of the headings that do not stand in it already."""
    own = words(text)
    standing = _joined(own)
    found: list[str] = []
    for heading in headings:
        heading_words = words(heading)
        if (joined := _joined(heading_words)) not in standing:
            found += heading_words
            standing += joined
    return _cut([*found, *own])


def _joined(sequence: Sequence[str]) -> str:
    return f" {' '.join(sequence)} "


def _split(text: str) -> Sequence[str]:
    if not text.isascii():
        return list(_pieces(_WORD.findall(text)))
    found = _ASCII_WORD.findall(text)
    # Most texts have nothing to divide and nothing to shorten.
    return found if max(map(len, found), default=0) <= MAX_WORD_LENGTH else list(_pieces(found))


def _pieces(found: Iterable[str]) -> Iterator[str]:
    for word in found:
        if word.isascii() or not _IS_UNSPACED.search(word):
            yield word[:MAX_WORD_LENGTH]
        else:
            for run in _RUN.findall(word):
                yield from _pairs(run) if _IS_UNSPACED.match(run) else (run[:MAX_WORD_LENGTH],)


def _pairs(run: str) -> Iterable[str]:
    return (run,) if len(run) == 1 else (run[start : start + 2] for start in range(len(run) - 1))


def _cut(sequence: Sequence[str]) -> Sequence[str]:
    if len(sequence) <= MAX_WORDS and sum(map(len, sequence)) + len(sequence) <= MAX_CHARACTERS:
        return sequence
    return list(_while_there_is_room(sequence))


def _while_there_is_room(sequence: Sequence[str]) -> Iterator[str]:
    characters = 0
    for word in islice(sequence, MAX_WORDS):
        characters += len(word) + 1
        if characters > MAX_CHARACTERS:
            return
        yield word
