"""Keeps the index over segments fast as it grows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from domain.retrieval.vector_indexes import IndexKind, SlotSize, VectorIndex


class IndexAdministration(Protocol):
    """Approximate indexes over embedding slots, at most one for each. Safe to call from several processes.

    A slot without one is searched exactly. Building and dropping block nobody who reads or writes; one index is built
    at a time, and who asks for another meanwhile gets IndexBuildUnderway. All raise Unavailable.
    """

    async def sizes(self) -> Sequence[SlotSize]:
        """Every slot with its size, by name."""
        ...

    async def indexes(self) -> Sequence[VectorIndex]:
        """Every index, by slot; half built ones too."""
        ...

    async def create(self, model_name: str, kind: IndexKind, parameters: Mapping[str, int]) -> VectorIndex:
        """Build an index for a slot, in place of a half built one.

        Raises UnknownIndexSlot, IndexExists, and InvalidIndex where vectors cannot be indexed in that way.
        """
        ...

    async def replace(self, name: str, kind: IndexKind, parameters: Mapping[str, int]) -> VectorIndex:
        """Build an index anew and take the old one away when the new one can be used; raises IndexNotFound.

        The new one may have another name.
        """
        ...

    async def drop(self, name: str) -> None:
        """Take an index away: its slot is searched exactly from then on. Raises IndexNotFound."""
        ...

    async def recall(self, model_name: str, *, sample: int, limit: int) -> float:
        """Which share of the ``limit`` nearest of so many of the slot's own vectors its index finds, from 0 to 1.

        1 where there is no index or no vector. Raises UnknownIndexSlot.
        """
        ...
