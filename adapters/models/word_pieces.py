"""The word pieces of a text, word by word: most words of a text were split before."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from itertools import accumulate, chain, islice
from typing import TypeAlias, TypeVar

Ids: TypeAlias = tuple[int, ...]
Offsets: TypeAlias = tuple[tuple[int, int], ...]
Split: TypeAlias = Callable[[str], tuple[Sequence[int], Sequence[tuple[int, int]]]]
Pieces = TypeVar("Pieces")

MOST_WORDS = 32_768
"""Words that are remembered, some 10 MB of them; then all are forgotten."""

_LONGEST_WORD = 64
_CONTINUES = "##"
_PLAIN = re.compile(r"[\t\n\r -~]*")
# BERT splits at white space and on both sides of every mark. Every character is in one match, so that their lengths
# tell where each begins; blanks have no pieces.
_WORDS_AND_MARKS = re.compile(r"[0-9A-Za-z]+|[\t\n\r ]+|[^0-9A-Za-z\t\n\r ]")
_BETWEEN_BLANKS = re.compile(r"[^\t\n\r ]+|[\t\n\r ]+")


class _Known(dict[str, Pieces]):
    """What is known of words; ``learn`` is called with one that is not, and returns it."""

    def __init__(self, learn: Callable[[str], Pieces]) -> None:
        super().__init__()
        self._learn = learn

    def __missing__(self, word: str) -> Pieces:
        return self._learn(word)


class WordPieces:
    """What ``split`` makes of whole texts, for a BERT tokenizer, which never looks beyond a word.

    ``special`` are strings that are tokens of their own. For texts in ASCII this is ten times as fast as splitting them
    anew; for others words are taken as they stand between blanks, with their marks. Words of letters and digits are
    looked up in the ``vocabulary``, if that is given, which must be uncased. Safe for concurrent use.
    """

    def __init__(
        self, split: Split, special: Sequence[str], vocabulary: Mapping[str, int] | None = None
    ) -> None:
        self._split = split
        self._vocabulary = vocabulary or {}
        self._ids: _Known[Ids] = _Known(lambda word: self._learn(word)[0])
        self._offsets: _Known[Offsets] = _Known(lambda word: self._learn(word)[1])
        self._special = tuple(special)

    def ids(self, text: str, limit: int) -> list[int]:
        """The ids of the first ``limit`` pieces."""
        ids = map(self._ids.__getitem__, self._parts(text))
        return list(islice(chain.from_iterable(ids), limit))

    def offsets(self, text: str) -> list[tuple[int, int]]:
        """The character range of every piece."""
        parts = self._parts(text)
        begins = accumulate(map(len, parts), initial=0)
        offsets = map(self._offsets.__getitem__, parts)
        return [
            (begin + start, begin + end)
            for begin, pieces in zip(begins, offsets, strict=False)
            for start, end in pieces
        ]

    def _learn(self, word: str) -> tuple[Ids, Offsets]:
        found = self._longest_pieces(word) if len(word) <= _LONGEST_WORD else None
        split_ids, split_offsets = found or self._split(word)
        ids, offsets = tuple(split_ids), tuple(split_offsets)
        if len(word) <= _LONGEST_WORD:
            if len(self._ids) >= MOST_WORDS:
                self._ids.clear()
                self._offsets.clear()
            self._ids[word], self._offsets[word] = ids, offsets
        return ids, offsets

    def _longest_pieces(self, word: str) -> tuple[Sequence[int], Sequence[tuple[int, int]]] | None:
        """The pieces of a word of ASCII letters and digits, each as long as can be; None when that cannot be told.

        WordPiece as in BERT's ``tokenization.py`` (Devlin et al. 2018), a tenth of what asking the library costs.
        """
        if not (self._vocabulary and word.isascii() and word.isalnum()):
            return None
        lower, start = word.lower(), 0
        ids: list[int] = []
        offsets: list[tuple[int, int]] = []
        while start < len(word):
            for end in range(len(word), start, -1):
                piece = self._vocabulary.get(lower[start:end] if not start else _CONTINUES + lower[start:end])
                if piece is not None:
                    break
            else:
                return None
            ids.append(piece)
            offsets.append((start, end))
            start = end
        return ids, offsets

    def _parts(self, text: str) -> list[str]:
        is_plain = _PLAIN.fullmatch(text) and not any(token in text for token in self._special)
        return (_WORDS_AND_MARKS if is_plain else _BETWEEN_BLANKS).findall(text)
