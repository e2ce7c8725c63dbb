"""Writes chosen sentences down as an answer with citations."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from domain.chat.answer import Citation, Source
from domain.chat.extracting import Candidate, content_stems
from domain.chat.prompt import cut_to

EXCERPT_CHARACTERS = 600
_STOP = re.compile(r"[.!?…:。！？]+\Z")  # noqa: RUF001 - full stops of other scripts


@dataclass(slots=True)
class _Page:
    text: str = ""
    citations: list[Citation] = field(default_factory=list)


def quoted(candidates: Sequence[Candidate]) -> tuple[str, Sequence[Citation]]:
    """The sentences as text, each with its marker before its full stop; a paragraph for each document."""
    page = _Page()
    before: Candidate | None = None
    for one in candidates:
        if before is not None:
            apart = before.sentence.code or before.source.document_id != one.source.document_id
            page.text += "\n\n" if apart else " "
        _quote(page, one, named=before.sentence.term if before else "")
        before = one
    return page.text, page.citations


def excerpt(source: Source) -> tuple[str, Sequence[Citation]]:
    """The beginning of a source that has no sentence to quote, such as a table or a piece of code, as it stands."""
    shown = cut_to(source, EXCERPT_CHARACTERS)
    text = f"{shown.text.strip()}\n\n[{source.number}]"
    citation = Citation(
        number=source.number,
        answer_start=0,
        answer_end=len(text),
        source=source,
        start=source.start,
        end=source.start + len(shown.text),
    )
    return text, [citation]


def _quote(page: _Page, one: Candidate, *, named: str) -> None:
    start = len(page.text)
    text = one.sentence.text
    term = one.sentence.term
    if term not in {"", named} and not content_stems(term) & one.words:
        text = f"{term}: {text}"
    stop = _STOP.search(text)
    at = stop.start() if stop else len(text)
    page.text += f"{text[:at]} [{one.source.number}]{text[at:]}"
    page.citations.append(
        Citation(
            number=one.source.number,
            answer_start=start,
            answer_end=len(page.text),
            source=one.source,
            start=one.source.start + one.sentence.start,
            end=one.source.start + one.sentence.end,
        )
    )
    if one.sentence.code:
        page.text += f"\n\n{one.sentence.code}"
