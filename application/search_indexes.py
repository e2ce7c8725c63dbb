"""The approximate indexes over embedding slots: what there is, and what is to be done about them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from application.ports.index_administration import IndexAdministration
from domain.errors import Invalid
from domain.retrieval.vector_indexes import (
    MAX_INDEXED_DIMENSION,
    Advice,
    IndexAction,
    IndexKind,
    IndexNotFound,
    IndexThresholds,
    InvalidIndex,
    SlotSize,
    UnknownIndexSlot,
    VectorIndex,
    advice,
    parameters_for,
)

MAX_SAMPLE = 500
MAX_NEAREST = 100


class InvalidSample(Invalid):
    """The sample is of 1 to 500 vectors, each with its 1 to 100 nearest."""

    code = "index_sample_invalid"


@dataclass(frozen=True, slots=True, kw_only=True)
class Managed:
    """What was advised for a slot, whether it was done, and the index that came of it."""

    advice: Advice
    is_applied: bool = False
    index: VectorIndex | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Indexes:
    """Builds, drops and measures; all but ``manage`` do what they are told at once and wait for it."""

    administration: IndexAdministration
    thresholds: IndexThresholds = field(default_factory=IndexThresholds)

    async def list(self) -> Sequence[VectorIndex]:
        """Every index, by slot."""
        return await self.administration.indexes()

    async def get(self, name: str) -> VectorIndex:
        """One index; raises IndexNotFound."""
        for index in await self.administration.indexes():
            if index.name == name:
                return index
        raise IndexNotFound

    async def create(self, model_name: str, kind: IndexKind, parameters: Mapping[str, int]) -> VectorIndex:
        """Build one; raises UnknownIndexSlot, IndexExists, InvalidIndex, IndexBuildUnderway."""
        slot = await self._slot(model_name)
        if slot.dimension > MAX_INDEXED_DIMENSION:
            raise InvalidIndex(f"vectors of more than {MAX_INDEXED_DIMENSION} dimensions cannot be indexed")
        chosen = parameters_for(kind, parameters, vectors=slot.vectors)
        return await self.administration.create(model_name, kind, chosen)

    async def rebuild(self, name: str) -> VectorIndex:
        """Build one anew as it is, or with as many clusters as now fit; raises IndexNotFound, IndexBuildUnderway."""
        index = await self.get(name)
        slot = await self._slot(index.model_name)
        given = index.parameters if index.kind is IndexKind.HNSW else {}
        chosen = parameters_for(index.kind, given, vectors=slot.vectors)
        return await self.administration.replace(name, index.kind, chosen)

    async def drop(self, name: str) -> None:
        """Take one away; raises IndexNotFound."""
        await self.administration.drop(name)

    async def manage(self, *, dry_run: bool) -> Sequence[Managed]:
        """Do what should be done about every slot, or only say so; raises IndexBuildUnderway."""
        there_are = {index.model_name: index for index in await self.administration.indexes()}
        managed = []
        for slot in await self.administration.sizes():
            index = there_are.get(slot.model_name)
            advised = advice(slot, index, self.thresholds)
            is_to_do = advised.action is not IndexAction.KEEP and not dry_run
            made = await self._apply(advised, index) if is_to_do else index
            managed.append(Managed(advice=advised, is_applied=is_to_do, index=made))
        return managed

    async def recall(self, name: str, *, sample: int, limit: int) -> float:
        """How much of what comparing all vectors finds an index finds; raises IndexNotFound, InvalidSample."""
        if not (1 <= sample <= MAX_SAMPLE and 1 <= limit <= MAX_NEAREST):
            raise InvalidSample
        index = await self.get(name)
        return await self.administration.recall(index.model_name, sample=sample, limit=limit)

    async def _apply(self, advised: Advice, index: VectorIndex | None) -> VectorIndex | None:
        if advised.kind is None:
            return index
        if index is None or not index.is_usable:
            return await self.administration.create(advised.model_name, advised.kind, advised.parameters)
        return await self.administration.replace(index.name, advised.kind, advised.parameters)

    async def _slot(self, model_name: str) -> SlotSize:
        for slot in await self.administration.sizes():
            if slot.model_name == model_name:
                return slot
        raise UnknownIndexSlot(f"there is no embedding slot {model_name[:100]!r}")
