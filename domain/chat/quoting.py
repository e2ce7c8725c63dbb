"""Writes chosen sentences down as an answer with citations."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from domain.chat.answer import Citation, Source
from domain.chat.extracting import Candidate, content_stems
from domain.chat.markers import open_fence, without_markers
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
    told = without_markers(shown.text.strip())
    # A marker within code would be none.
    closing = f"\n{fence}" if (fence := open_fence(told)) else ""
    text = f"{told}{closing}\n\n[{source.number}]"
    citation = Citation(
        number=source.number,
        answer_start=0,
        answer_end=len(text),
        source=source,
        start=source.start,
        end=source.start + len(shown.text),
        heading_path=source.heading_path,
        page=source.page_at(source.start),
    )
    return text, [citation]


def _quote(page: _Page, one: Candidate, *, named: str) -> None:
    start = len(page.text)
    text = one.sentence.text
    term = one.sentence.term
    if term not in {"", named} and not content_stems(term) & one.words:
        text = f"{term}: {text}"
    # A document's own references, such as "[3]", are not the answer's.
    text = without_markers(text)
    stop = _STOP.search(text)
    at = stop.start() if stop else len(text)
    page.text += f"{text[:at]} [{one.source.number}]{text[at:]}"
    page.citations.append(
        Citation(
            number=one.source.number,
            answer_start=start,
            answer_end=len(page.text),
            source=one.source,
            start=one.start,
            end=one.end,
            heading_path=one.source.heading_path or one.sentence.heading_path,
            page=one.source.page_at(one.start),
        )
    )
    if one.sentence.code:
        page.text += f"\n\n{one.sentence.code}"
