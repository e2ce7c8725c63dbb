"""The lexemes of words, which PostgreSQL tells once for each word instead of for each text."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
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
    """A text as a tsvector in PostgreSQL's notation, and how often it holds each lexeme."""

    tsvector: str
    frequencies: Mapping[str, int]

    @property
    def length(self) -> int:
        """How many words it has, those that are left out of every index apart."""
        return sum(self.frequencies.values())


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
            configuration: await self._lexemes(connection, configuration, words)
            for configuration, words in wanted.items()
        }
        return [_lexed(words, known[configuration]) for configuration, words in texts]

    async def _lexemes(self, connection: Connection, configuration: str, words: Iterable[str]) -> Known:
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
    positions: defaultdict[str, list[int]] = defaultdict(list)
    for position, word in enumerate(words, 1):
        for lexeme in known[word]:
            positions[lexeme].append(position)
    return Lexed(
        tsvector=" ".join(f"{_quoted(lexeme)}:{_listed(found)}" for lexeme, found in positions.items()),
        frequencies={lexeme: min(len(found), MOST_POSITIONS) for lexeme, found in positions.items()},
    )


def _listed(positions: Sequence[int]) -> str:
    return str(positions[0]) if len(positions) == 1 else ",".join(map(str, positions[:MOST_POSITIONS]))


def _quoted(lexeme: str) -> str:
    if not lexeme.isalnum():
        lexeme = lexeme.replace("\\", "\\\\").replace("'", "''")
    return f"'{lexeme}'"
