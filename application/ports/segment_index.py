"""Segments with their vectors and their words: what search asks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol
from uuid import UUID

from domain.document import EmbeddedSegment
from domain.match import Candidate, IndexedSegment, SearchFilter

LEAST_LOOK = 101
"""An approximate index is looked at so deep at least: up to it, a smaller limit gives the beginning of a larger one.

A page of a hundred, and one that tells whether there is more.
"""


class SegmentIndex(Protocol):
    """The index over segments of current document versions. Safe for concurrent use.

    A filter never makes a search return fewer than min(limit, matching segments).
    """

    async def index(self, segments: Sequence[EmbeddedSegment]) -> None:
        """Put segments of opened document versions in; one that is there already changes nothing.

        Segments of a version that is older than the current one, or of a removed document, are ignored.
        Raises DimensionMismatch, and EmbeddingModelMixed for a slot that holds vectors of another model, and then
        changes nothing.
        """
        ...

    async def semantic(
        self,
        vector: Sequence[float],
        *,
        model_name: str,
        limit: int,
        where: SearchFilter,
        model_identity: str = "",
    ) -> Sequence[Candidate]:
        """The nearest segments of a slot by cosine similarity, the best first, ties by segment id.

        Where vectors are compared all, a smaller limit gives the beginning of what a larger one does; an approximate
        index may find others when it is looked at deeper than ``LEAST_LOOK``.

        ``model_identity`` is whose vector it is, empty where that is not known. Raises DimensionMismatch,
        EmbeddingModelMixed.
        """
        ...

    async def keyword(self, query: str, *, limit: int, where: SearchFilter) -> Sequence[Candidate]:
        """The segments with any of the query's words by BM25, the best first, ties by segment id.

        Words are compared by their stems in each document's language. A query without words finds nothing.
        """
        ...

    async def fetch(
        self, segment_ids: Sequence[UUID], *, query: str | None = None
    ) -> Mapping[UUID, IndexedSegment]:
        """The segments of those ids that are in current versions.

        With a query, each with its highlights: where its text has one of the query's words, compared as in a keyword
        search, in the document's language.
        """
        ...

    async def vectors(
        self, segment_ids: Sequence[UUID], *, model_name: str
    ) -> Mapping[UUID, Sequence[float]]:
        """The vectors of those segments of current versions that the slot holds."""
        ...

    async def slots(self) -> Mapping[str, int]:
        """How many segments each slot (``model_name``) holds."""
        ...

    async def origins(self) -> Mapping[str, int]:
        """How many documents each origin holds."""
        ...
