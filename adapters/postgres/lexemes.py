"""The lexemes of words, which PostgreSQL tells once for each word instead of for each text."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import TypeAlias

from adapters.postgres.database import Connection

MOST_WORDS = 65_536
"""Words of one configuration that are remembered, some 20 MB of them; then all are forgotten."""

MOST_POSITIONS = 255
"""Positions that a tsvector keeps of one lexeme."""

Known: TypeAlias = dict[str, tuple[str, ...]]

_ASK = """
    SELECT w.word, tsvector_to_array(to_tsvector(%s::regconfig, w.word)) FROM unnest(%s::text[]) AS w (word)
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Lexed:
    """A text as a tsvector in PostgreSQL's notation, and how often it holds each lexeme.

    ``length`` is how many words it has, those apart that are left out of every index. The positions in ``tsvector``
    tell no more than the frequencies do: nothing here looks for words side by side.
    """

    tsvector: str
    frequencies: Mapping[str, int]
    length: int


class Lexemes:
    """What the text search configurations make of words, for one database.

    A configuration that is changed while the process lives is not noticed.
    """

    def __init__(self) -> None:
        self._known: defaultdict[str, Known] = defaultdict(dict)

    async def of(self, connection: Connection, texts: Sequence[tuple[str, Sequence[str]]]) -> Sequence[Lexed]:
        """Each text, given as its configuration and its words; asks the database for words that are new."""
        wanted: defaultdict[str, set[str]] = defaultdict(set)
        for configuration, words in texts:
            wanted[configuration].update(words)
        known = {
            configuration: await self.of_words(connection, configuration, words)
            for configuration, words in wanted.items()
        }
        return [_lexed(words, known[configuration]) for configuration, words in texts]

    async def of_words(self, connection: Connection, configuration: str, words: Iterable[str]) -> Known:
        """The lexemes of each word under one configuration; none for a stop word."""
        remembered = self._known[configuration]
        found = {word: remembered[word] for word in words if word in remembered}
        if unknown := [word for word in words if word not in found]:
            rows = await (await connection.execute(_ASK, (configuration, unknown))).fetchall()
            learnt = {word: tuple(lexemes) for word, lexemes in rows}
            if len(remembered) + len(learnt) > MOST_WORDS:
                remembered.clear()
            remembered.update(learnt)
            found |= learnt
        return found


def _lexed(words: Iterable[str], known: Known) -> Lexed:
    counts = Counter(chain.from_iterable(map(known.__getitem__, words)))
    frequencies = {lexeme: min(count, MOST_POSITIONS) for lexeme, count in counts.items()}
    quoted = counts if "".join(counts).isalnum() else map(_escaped, counts)
    tsvector = " ".join(map("'{}':{}".format, quoted, map(_POSITIONS.__getitem__, frequencies.values())))
    return Lexed(tsvector=tsvector, frequencies=frequencies, length=sum(frequencies.values()))


def _escaped(lexeme: str) -> str:
    return lexeme.replace("\\", "\\\\").replace("'", "''")


_POSITIONS = [",".join(map(str, range(1, count + 1))) for count in range(MOST_POSITIONS + 1)]
