"""What the embedding slots of a corpus in memory hold."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from uuid import UUID

from adapters.memory.corpus import Corpus, HeldSegment, HeldVersion
from domain.embedding_slot import Coverage, LackingDocument, SlotHolding

BYTES_PER_NUMBER = 8


class MemoryEmbeddingSlots:
    """The slots of one corpus."""

    def __init__(self, corpus: Corpus) -> None:
        self._corpus = corpus

    async def holdings(self) -> Sequence[SlotHolding]:
        """See the port."""
        return [self._holding(name) for name in sorted(self._corpus.dimensions)]

    async def coverage(self, model_name: str, *, origins: Sequence[str] = ()) -> Coverage:
        """See the port."""
        held = [
            model_name in one.vectors
            for version in self._current(origins)
            for one in version.segments.values()
        ]
        return Coverage(segments=len(held), held=sum(held))

    async def lacking(
        self, model_name: str, *, origins: Sequence[str] = (), after: str = "", limit: int
    ) -> Sequence[LackingDocument]:
        """See the port."""
        found = [
            LackingDocument(
                document_id=version.document.document_id,
                version=version.document.version,
                segment_ids=[one.embedded.id for one in _in_order(version) if model_name not in one.vectors],
            )
            for version in self._current(origins)
            if version.document.document_id > after
        ]
        return [one for one in found if one.segment_ids][:limit]

    async def remove(
        self,
        *,
        document_id: str | None = None,
        execution_id: UUID | None = None,
        model_name: str | None = None,
    ) -> int:
        """See the port."""
        if document_id is None and execution_id is None:
            return 0
        return sum(
            _taken_out(one, model_name)
            for one in self._all()
            if (document_id is None or one.embedded.document_id == document_id)
            and (execution_id is None or one.embedded.execution_id == execution_id)
        )

    async def drop(self, model_name: str) -> int | None:
        """See the port."""
        if self._corpus.dimensions.pop(model_name, None) is None:
            return None
        self._corpus.identities.pop(model_name, None)
        self._corpus.indexes.pop(model_name, None)
        return sum(_taken_out(one, model_name) for one in self._all())

    def _holding(self, model_name: str) -> SlotHolding:
        dimension = self._corpus.dimensions[model_name]
        current = [
            version.document.document_id
            for version in self._corpus.current()
            for one in version.segments.values()
            if model_name in one.vectors
        ]
        vectors = sum(model_name in one.vectors for one in self._all())
        return SlotHolding(
            model_name=model_name,
            dimension=dimension,
            identity=self._corpus.identities.get(model_name),
            segments=len(current),
            documents=len(set(current)),
            vectors=vectors,
            size_bytes=vectors * dimension * BYTES_PER_NUMBER,
        )

    def _current(self, origins: Sequence[str]) -> Iterator[HeldVersion]:
        return (one for one in self._corpus.current() if not origins or one.document.origin in origins)

    def _all(self) -> Iterator[HeldSegment]:
        for versions in self._corpus.versions.values():
            for version in versions.values():
                yield from version.segments.values()


def _in_order(version: HeldVersion) -> Sequence[HeldSegment]:
    return sorted(version.segments.values(), key=lambda one: (one.embedded.segment.ordinal, one.embedded.id))


def _taken_out(one: HeldSegment, model_name: str | None) -> int:
    names = [name for name in one.vectors if model_name in {None, name}]
    for name in names:
        del one.vectors[name]
    return len(names)
