"""What a chat answers, whole and piece by piece."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TypeAlias
from uuid import UUID

from domain.chat.finish import FinishReason
from domain.chat.support import uncited_statements
from domain.chat.usage import TokenUsage
from domain.json import JsonObject
from domain.match import Match


class AnswerMode(StrEnum):
    """Whether a language model wrote the answer, or it is made of the sources' own sentences."""

    GENERATIVE = "generative"
    EXTRACTIVE = "extractive"


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """A numbered passage that an answer may cite: ``[number]``, from 1.

    ``start`` and ``end`` are its characters in the document's Markdown. A found segment has ``segment_id`` and
    ``score``; a stored object has ``storage_key``. ``is_cut`` tells that the object is longer than what fits.
    ``page_starts``, of an object with pages, are the characters at which they begin; they are not kept with an answer.
    """

    number: int
    text: str
    title: str = ""
    url: str = ""
    heading_path: Sequence[str] = ()
    start: int = 0
    end: int = 0
    page: int | None = None
    score: float | None = None
    segment_id: UUID | None = None
    document_id: str | None = None
    storage_key: str | None = None
    lineage_id: UUID | None = None
    execution_id: UUID | None = None
    origin: str | None = None
    is_cut: bool = False
    page_starts: Sequence[int] = field(default=(), repr=False, compare=False)

    def page_at(self, at: int) -> int | None:
        """The page on which a character of the document's Markdown stands, as far as that is known."""
        return max(bisect_right(self.page_starts, at), 1) if self.page_starts else self.page


@dataclass(frozen=True, slots=True, kw_only=True)
class Citation:
    """One marker in the answer: ``answer[answer_start:answer_end]`` is the statement it closes, marker included.

    ``start`` and ``end`` are the cited characters in the document's Markdown: of the very sentence in an extractive
    answer, of the whole source otherwise. ``heading_path`` and ``page`` are where these characters begin.
    """

    number: int
    answer_start: int
    answer_end: int
    source: Source
    start: int
    end: int
    heading_path: Sequence[str] = ()
    page: int | None = None

    @property
    def marker(self) -> str:
        """As it stands in the answer."""
        return f"[{self.number}]"

    @property
    def passage(self) -> str:
        """The cited characters themselves."""
        return self.source.text[self.start - self.source.start : self.end - self.source.start]


@dataclass(frozen=True, slots=True, kw_only=True)
class ChatAnswer:
    """A whole answer. ``is_answered`` is False when nothing was found to answer from, or the model says so.

    ``unknown_markers`` are numbers the language model cited that no source has; they were taken out of the text.
    ``finish_reason`` tells an answer that its language model has cut off from a whole one.
    ``observed`` says how the sources were found, ``usage`` what the language model's server says that it cost.
    """

    text: str
    mode: AnswerMode
    sources: Sequence[Source] = ()
    citations: Sequence[Citation] = ()
    unknown_markers: Sequence[int] = ()
    is_answered: bool = True
    finish_reason: FinishReason = FinishReason.STOP
    model: str | None = None
    usage: TokenUsage | None = None
    observed: JsonObject = field(default_factory=dict)

    @property
    def is_supported(self) -> bool:
        """Whether it cites at least one source."""
        return bool(self.citations)

    @property
    def uncited(self) -> Sequence[tuple[int, int]]:
        """Where statements stand that no citation covers; of an answer without sources or of quotations none."""
        if self.mode is AnswerMode.EXTRACTIVE or not self.sources or not self.is_answered:
            return ()
        return uncited_statements(self.text, self.citations)


@dataclass(frozen=True, slots=True, kw_only=True)
class SourcesFound:
    """The first event: what the answer may cite."""

    sources: Sequence[Source]
    mode: AnswerMode


@dataclass(frozen=True, slots=True, kw_only=True)
class TextWritten:
    """A further piece of the answer; all of them together are its text."""

    content: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceCited:
    """A citation whose marker was just written."""

    citation: Citation


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerDone:
    """The last event: the answer as a whole."""

    answer: ChatAnswer


ChatEvent: TypeAlias = SourcesFound | TextWritten | SourceCited | AnswerDone


def source_of_match(match: Match, number: int) -> Source:
    """A match as a numbered source."""
    found = match.found
    return Source(
        number=number,
        text=found.segment.text,
        title=found.document.title,
        url=found.document.url,
        heading_path=tuple(found.segment.heading_path),
        start=found.segment.start,
        end=found.segment.end,
        page=found.segment.page,
        score=match.score,
        segment_id=found.id,
        document_id=found.document.document_id,
        storage_key=found.document.object_key,
        lineage_id=found.lineage_id,
        execution_id=found.execution_id,
        origin=found.document.origin,
    )
