"""Checks the markers of an answer against the sources that were supplied, and says what each one covers."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

from domain.chat.answer import Citation, Source, SourceCited, TextWritten
from domain.chat.markers import Marked, MarkerReader, Written

_STATEMENT_END = re.compile(r"[.!?…][\"')\]”’»]*\s+|[。！？]|\n")  # noqa: RUF001 - full stops of other scripts
_TRAILING = re.compile(r"(?:\s|[.!?…。！？\"')\]”’»]|\[\d{1,3}\])+\Z")  # noqa: RUF001
_WINDOW = 2_000


class AnswerWriter:
    """Takes a language model's answer in pieces and gives it back with markers that are true.

    A marker without a source is taken out together with the space before it and kept in ``unknown``. Where no
    sources were supplied at all, brackets are not markers and stay.
    """

    def __init__(self, sources: Sequence[Source]) -> None:
        self._sources = {source.number: source for source in sources}
        self._reader = MarkerReader()
        self._pieces: list[str] = []
        self._length = 0
        self._recent = ""
        self.citations: list[Citation] = []
        self.unknown: list[int] = []

    @property
    def text(self) -> str:
        """The answer as far as it was given back."""
        return "".join(self._pieces)

    def feed(self, piece: str) -> Iterator[TextWritten | SourceCited]:
        """What the piece adds."""
        # No store holds a NUL, and no reader misses one.
        yield from self._written(self._reader.feed(piece.replace("\0", "")))

    def end(self) -> Iterator[TextWritten | SourceCited]:
        """What was held back."""
        yield from self._written(self._reader.end())

    def _written(self, parts: Iterable[Written | Marked]) -> Iterator[TextWritten | SourceCited]:
        for part in parts:
            if isinstance(part, Written) or not self._sources:
                yield self._write(part.text)
            else:
                yield from self._mark(part)

    def _mark(self, part: Marked) -> Iterator[TextWritten | SourceCited]:
        known = [number for number in part.numbers if number in self._sources]
        self.unknown += [number for number in part.numbers if number not in self._sources]
        start = self._length - _length_of_statement(self._recent)
        for position, number in enumerate(known):
            yield self._write(f"{'' if position else part.lead}[{number}]")
            source = self._sources[number]
            citation = Citation(
                number=number,
                answer_start=start,
                answer_end=self._length,
                source=source,
                start=source.start,
                end=source.end,
                heading_path=source.heading_path,
                page=source.page_at(source.start),
            )
            self.citations.append(citation)
            yield SourceCited(citation=citation)

    def _write(self, text: str) -> TextWritten:
        self._pieces.append(text)
        self._length += len(text)
        self._recent = (self._recent + text)[-_WINDOW:]
        return TextWritten(content=text)


def _length_of_statement(text: str) -> int:
    """How many characters at the end of a text are the statement that a marker put there would close."""
    trailing = _TRAILING.search(text)
    body = text[: trailing.start()] if trailing else text
    begin = 0
    for end in _STATEMENT_END.finditer(body):
        begin = end.end()
    statement = text[begin:].lstrip()
    while marker := re.match(r"\[\d{1,3}\]\s*", statement):
        statement = statement[marker.end() :]
    return len(statement)
