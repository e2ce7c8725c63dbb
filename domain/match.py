"""What search returns, and what it is asked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple
from uuid import UUID

from domain.document import Document, Segment
from domain.language import one_code
from domain.retrieval.filtering import Condition


class SearchMode(StrEnum):
    """How segments are found."""

    SEMANTIC = "semantic"
    KEYWORD = "keyword"
    HYBRID = "hybrid"


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchFilter:
    """What a match must satisfy; empty sequences and None restrict nothing.

    ``language`` is also the one in which the query's words are stemmed. ``condition`` holds beside the others.
    """

    origins: Sequence[str] = ()
    document_ids: Sequence[str] = ()
    execution_ids: Sequence[UUID] = ()
    language: str | None = None
    condition: Condition | None = None

    def __post_init__(self) -> None:
        if self.language is not None:
            object.__setattr__(self, "language", one_code(self.language))


# Hundreds are made for every search: a tuple is made of a row at a fraction of what a dataclass costs.
class Candidate(NamedTuple):
    """A segment that one side of a search found: cosine similarity or BM25 score, higher is better."""

    segment_id: UUID
    score: float


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexedSegment:
    """A segment as the index gives it back, with its document.

    ``highlights`` say where its text holds words of the query: start and end in characters, in order.
    """

    id: UUID
    segment: Segment
    document: Document
    execution_id: UUID | None = None
    lineage_id: UUID | None = None
    highlights: Sequence[tuple[int, int]] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Match:
    """A found segment with its score and how it came about.

    ``components`` maps each side (``semantic``, ``keyword``, the slots of a search in several, ``rerank``) to its own
    score, ``ranks`` to its rank from 1; a side that did not find the segment is absent from both and contributed 0.
    """

    found: IndexedSegment
    score: float
    components: Mapping[str, float] = field(default_factory=dict)
    ranks: Mapping[str, int] = field(default_factory=dict)
    model_name: str | None = None
