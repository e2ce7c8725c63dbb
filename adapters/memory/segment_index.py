"""Segments in memory: every vector is compared, every segment's words are counted."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from uuid import UUID

from adapters.memory.corpus import Corpus, HeldSegment
from domain.document import DimensionMismatch, Document, EmbeddedSegment
from domain.embedding_slot import require_same_model
from domain.match import Candidate, IndexedSegment, SearchFilter
from domain.retrieval import bm25
from domain.retrieval.filtering import METADATA, admits
from domain.retrieval.highlighting import highlights, stretches
from domain.retrieval.words import matched_words, words


class MemorySegmentIndex:
    """Segments of one corpus. Words are compared as they stand, without stems and stop words."""

    def __init__(self, corpus: Corpus, *, parameters: bm25.Bm25 | None = None) -> None:
        self._corpus = corpus
        self._parameters = parameters or bm25.Bm25()

    async def index(self, segments: Sequence[EmbeddedSegment]) -> None:
        """Put segments of opened versions in; a version that is complete with them becomes current at once."""
        known, identities = dict(self._corpus.dimensions), dict(self._corpus.identities)
        for segment in segments:
            name, identity = segment.model_name, segment.model_identity
            _require_dimension(name, known.setdefault(name, len(segment.vector)), segment.vector)
            require_same_model(name, identities.get(name), identity)
            if identity:
                identities[name] = identity
        self._corpus.dimensions, self._corpus.identities = known, identities
        for segment in segments:
            self._hold(segment)
        for key in {(segment.document_id, segment.version) for segment in segments}:
            if self._corpus.version(*key):
                self._corpus.flip(*key)

    def _hold(self, segment: EmbeddedSegment) -> None:
        version = self._corpus.version(segment.document_id, segment.version)
        if version is None or (version.is_current and segment.id not in version.segments):
            return
        held = version.segments.setdefault(segment.id, HeldSegment(embedded=segment))
        held.vectors.setdefault(segment.model_name, tuple(segment.vector))

    async def semantic(
        self,
        vector: Sequence[float],
        *,
        model_name: str,
        limit: int,
        where: SearchFilter,
        model_identity: str = "",
    ) -> Sequence[Candidate]:
        """The nearest segments of a slot by cosine similarity; nothing when there is no such slot."""
        require_same_model(model_name, self._corpus.identities.get(model_name), model_identity)
        if model_name in self._corpus.dimensions:
            _require_dimension(model_name, self._corpus.dimensions[model_name], vector)
        scores = {
            segment_id: _cosine(vector, held.vectors[model_name])
            for segment_id, held in self._admitted(where)
            if model_name in held.vectors
        }
        return _best(scores, limit)

    async def keyword(self, query: str, *, limit: int, where: SearchFilter) -> Sequence[Candidate]:
        """The segments with any of the query's first 128 distinct words by BM25."""
        wanted = list(dict.fromkeys(words(query)))[: bm25.MAX_QUERY_WORDS]
        counts = {
            segment_id: Counter(
                matched_words(
                    held.embedded.segment.text, [document.title, *held.embedded.segment.heading_path]
                )
            )
            for segment_id, (document, held) in self._corpus.segments().items()
        }
        corpus = bm25.Corpus(
            segments=len(counts), total_length=sum(segment.total() for segment in counts.values())
        )
        frequencies = Counter(word for segment in counts.values() for word in segment)
        scores = {
            segment_id: self._parameters.score(
                wanted, counts[segment_id], corpus=corpus, frequencies=frequencies
            )
            for segment_id, _ in self._admitted(where)
        }
        return _best({segment_id: score for segment_id, score in scores.items() if score}, limit)

    async def fetch(
        self, segment_ids: Sequence[UUID], *, query: str | None = None
    ) -> Mapping[UUID, IndexedSegment]:
        """The segments of those ids that are in current versions."""
        segments = self._corpus.segments()
        wanted = set(words(query or ""))
        return {
            segment_id: _indexed(*segments[segment_id], wanted)
            for segment_id in segment_ids
            if segment_id in segments
        }

    async def vectors(
        self, segment_ids: Sequence[UUID], *, model_name: str
    ) -> Mapping[UUID, Sequence[float]]:
        """The vectors of those segments that the slot holds."""
        segments = self._corpus.segments()
        return {
            segment_id: segments[segment_id][1].vectors[model_name]
            for segment_id in segment_ids
            if segment_id in segments and model_name in segments[segment_id][1].vectors
        }

    async def slots(self) -> Mapping[str, int]:
        """How many current segments each slot holds."""
        held = (segment for _, segment in self._corpus.segments().values())
        return dict(sorted(Counter(model_name for segment in held for model_name in segment.vectors).items()))

    async def origins(self) -> Mapping[str, int]:
        """How many documents each origin holds."""
        return dict(sorted(Counter(version.document.origin for version in self._corpus.current()).items()))

    def _admitted(self, where: SearchFilter) -> Iterator[tuple[UUID, HeldSegment]]:
        for segment_id, (document, held) in self._corpus.segments().items():
            if _admits(where, document, held.embedded) and self._meets(where, document, held.embedded):
                yield segment_id, held

    def _meets(self, where: SearchFilter, document: Document, segment: EmbeddedSegment) -> bool:
        if where.condition is None:
            return True
        values = {
            "origin": document.origin,
            "document_id": document.document_id,
            "language": document.language,
            "title": document.title,
            "url": document.url,
            "indexed_at": document.indexed_at,
            "execution_id": segment.execution_id,
            "config_id": self._corpus.configs.get(segment.execution_id) if segment.execution_id else None,
            METADATA: document.metadata,
        }
        return admits(where.condition, values)


def _admits(where: SearchFilter, document: Document, segment: EmbeddedSegment) -> bool:
    return (
        (not where.origins or document.origin in where.origins)
        and (not where.document_ids or document.document_id in where.document_ids)
        and (not where.execution_ids or segment.execution_id in where.execution_ids)
        and (not where.language or document.language == where.language)
    )


def _require_dimension(model_name: str, dimension: int, vector: Sequence[float]) -> None:
    if not vector or len(vector) != dimension:
        raise DimensionMismatch(
            f"the slot {model_name!r} has {dimension} dimensions, the vector {len(vector)}"
        )


def _cosine(one: Sequence[float], other: Sequence[float]) -> float:
    lengths = math.hypot(*one) * math.hypot(*other)
    return math.fsum(a * b for a, b in zip(one, other, strict=True)) / lengths if lengths else 0.0


def _best(scores: Mapping[UUID, float], limit: int) -> Sequence[Candidate]:
    order = sorted(scores, key=lambda segment_id: (-scores[segment_id], segment_id))
    return [Candidate(segment_id=segment_id, score=scores[segment_id]) for segment_id in order[:limit]]


def _indexed(document: Document, held: HeldSegment, wanted: set[str]) -> IndexedSegment:
    segment = held.embedded.segment
    return IndexedSegment(
        id=held.embedded.id,
        segment=segment,
        document=document,
        execution_id=held.embedded.execution_id,
        lineage_id=held.embedded.lineage_id,
        highlights=highlights(stretches(segment.text), wanted.__contains__) if wanted else (),
    )
