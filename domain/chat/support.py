"""Which statements of an answer nothing supports."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from domain.chat.answer import Citation

LEAST_CHARACTERS = 20
"""Less is no statement: a heading, "Yes.", a word before a list."""

_END = re.compile(r"[.!?…](?:[\"')\]”’»]|\s?\[\d{1,3}\])*(?=\s|\Z)|[。！？](?:\s?\[\d{1,3}\])*|\n|\Z")  # noqa: RUF001
_CODE = re.compile(r"(?P<fence>```+|~~~+).*?(?:(?P=fence)|\Z)", re.DOTALL)
_HEADING_OR_LEAD = re.compile(r"#{1,6}\s|.*:\Z", re.DOTALL)


def uncited_statements(text: str, citations: Sequence[Citation]) -> Sequence[tuple[int, int]]:
    """The places ``[start, end)`` of statements that no citation covers: code, headings and what leads to a list apart.

    A marker closes the statement before it, so one that stands at the end of a paragraph supports its last sentence.
    """
    cited = [(citation.answer_start, citation.answer_end) for citation in citations]
    return [
        (start, end)
        for start, end in _statements(text)
        if not any(start < to and begin < end for begin, to in cited)
    ]


def _statements(text: str) -> Iterator[tuple[int, int]]:
    code = [match.span() for match in _CODE.finditer(text)]
    begin = 0
    for match in _END.finditer(text):
        start, end = begin, match.end()
        begin = end
        statement = text[start:end]
        start += len(statement) - len(statement.lstrip())
        end -= len(statement) - len(statement.rstrip())
        is_statement = end - start >= LEAST_CHARACTERS and not _HEADING_OR_LEAD.match(text[start:end])
        if is_statement and not any(start < to and at < end for at, to in code):
            yield start, end
