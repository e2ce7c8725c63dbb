"""Indexes in memory: remembered, and never used, since every vector is compared."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from adapters.memory.corpus import Corpus
from domain.retrieval.vector_indexes import (
    IndexExists,
    IndexKind,
    IndexNotFound,
    SlotSize,
    UnknownIndexSlot,
    VectorIndex,
)


class MemoryIndexAdministration:
    """The indexes over the slots of one corpus, each of no size. Nothing here waits, so nothing is ever underway."""

    def __init__(self, corpus: Corpus) -> None:
        self._corpus = corpus

    async def sizes(self) -> Sequence[SlotSize]:
        """See the port."""
        counts = Counter(
            name
            for versions in self._corpus.versions.values()
            for version in versions.values()
            for held in version.segments.values()
            for name in held.vectors
        )
        dimensions = self._corpus.dimensions
        return [
            SlotSize(model_name=name, dimension=dimensions[name], vectors=counts[name])
            for name in sorted(dimensions)
        ]

    async def indexes(self) -> Sequence[VectorIndex]:
        """See the port."""
        return [
            VectorIndex(
                name=_name(size.model_name, kind),
                model_name=size.model_name,
                kind=kind,
                parameters=parameters,
                vectors=size.vectors,
                size_bytes=0,
                scans=0,
            )
            for size in await self.sizes()
            if size.model_name in self._corpus.indexes
            for kind, parameters in [self._corpus.indexes[size.model_name]]
        ]

    async def create(self, model_name: str, kind: IndexKind, parameters: Mapping[str, int]) -> VectorIndex:
        """See the port."""
        self._require_slot(model_name)
        if model_name in self._corpus.indexes:
            raise IndexExists
        self._corpus.indexes[model_name] = kind, dict(parameters)
        return await self._index(_name(model_name, kind))

    async def replace(self, name: str, kind: IndexKind, parameters: Mapping[str, int]) -> VectorIndex:
        """See the port."""
        model_name = (await self._index(name)).model_name
        self._corpus.indexes[model_name] = kind, dict(parameters)
        return await self._index(_name(model_name, kind))

    async def drop(self, name: str) -> None:
        """See the port."""
        del self._corpus.indexes[(await self._index(name)).model_name]

    async def recall(self, model_name: str, *, sample: int, limit: int) -> float:  # noqa: ARG002 (nothing to measure)
        """1: every vector is compared."""
        self._require_slot(model_name)
        return 1.0

    async def _index(self, name: str) -> VectorIndex:
        for index in await self.indexes():
            if index.name == name:
                return index
        raise IndexNotFound

    def _require_slot(self, model_name: str) -> None:
        if model_name not in self._corpus.dimensions:
            raise UnknownIndexSlot(f"there is no embedding slot {model_name[:100]!r}")


def _name(model_name: str, kind: IndexKind) -> str:
    return f"{kind.value}:{model_name}"
