"""What the embedding slots hold: shown, and taken out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from application.embedding_models import EmbeddingModels, EmbeddingSlotNotFound
from application.executions import Executions
from application.ports.documents import Documents
from application.ports.embedding_model import EmbeddingModel
from application.ports.embedding_slots import EmbeddingSlots
from domain.embedding_slot import SlotHolding


@dataclass(frozen=True, slots=True, kw_only=True)
class SlotState:
    """A slot with its model here, if there is one, and what it holds, if it holds anything.

    ``lacking`` is how many segments of current document versions have no vector in it.
    """

    model_name: str
    model: EmbeddingModel | None
    holding: SlotHolding | None
    lacking: int
    is_own: bool

    @property
    def is_mixed(self) -> bool:
        """Whether it holds vectors of another model than the one here, and so can be neither filled nor searched."""
        held = self.holding.identity if self.holding else None
        return held is not None and self.model is not None and held != self.model.identity


@dataclass(frozen=True, slots=True, kw_only=True)
class EmbeddingStatistics:
    """Of how many segments and documents how much is embedded, over all slots."""

    segments: int
    vectors: int
    size_bytes: int
    slots: Sequence[SlotState]


@dataclass(frozen=True, slots=True, kw_only=True)
class EmbeddingHoldings:
    """The slots that have a model here, the own one first, and those that hold vectors of models that are not."""

    slots: EmbeddingSlots
    models: EmbeddingModels
    documents: Documents
    executions: Executions

    async def list(self) -> Sequence[SlotState]:
        """Every slot."""
        holdings = {one.model_name: one for one in await self.slots.holdings()}
        names = [*self.models.by_name, *(name for name in holdings if name not in self.models.by_name)]
        segments = (await self.slots.coverage("")).segments
        return [self._state(name, holdings, segments) for name in names]

    async def get(self, model_name: str) -> SlotState:
        """One slot; raises EmbeddingSlotNotFound."""
        for state in await self.list():
            if state.model_name == model_name:
                return state
        raise EmbeddingSlotNotFound(f"there is no embedding slot {model_name[:200]!r}")

    async def statistics(self) -> EmbeddingStatistics:
        """The figures of all slots together."""
        states = await self.list()
        held = [state.holding for state in states if state.holding]
        return EmbeddingStatistics(
            segments=(await self.slots.coverage("")).segments,
            vectors=sum(one.vectors for one in held),
            size_bytes=sum(one.size_bytes for one in held),
            slots=states,
        )

    async def remove_document(self, document_id: str, *, model_name: str | None = None) -> int:
        """Take out a document's vectors, of one slot or of all; raises DocumentNotFound, EmbeddingSlotNotFound.

        Its segments are found by words until they are embedded again.
        """
        await self._require_slot(model_name)
        await self.documents.current(document_id)
        return await self.slots.remove(document_id=document_id, model_name=model_name)

    async def remove_execution(self, id_or_tag: str, *, model_name: str | None = None) -> tuple[UUID, int]:
        """The same for what an execution indexed; raises ExecutionNotFound, EmbeddingSlotNotFound."""
        await self._require_slot(model_name)
        execution = await self.executions.get(id_or_tag)
        return execution.id, await self.slots.remove(execution_id=execution.id, model_name=model_name)

    async def drop(self, model_name: str) -> int:
        """Take a slot away with all its vectors, and tell how many there were.

        Raises EmbeddingSlotNotFound, and IndexBuildUnderway while any index is being built. Another model may have its name then.
        """
        dropped = await self.slots.drop(model_name)
        if dropped is None:
            raise EmbeddingSlotNotFound(f"there are no vectors of a slot {model_name[:200]!r}")
        return dropped

    async def _require_slot(self, model_name: str | None) -> None:
        if model_name is not None:
            await self.get(model_name)

    def _state(self, name: str, holdings: Mapping[str, SlotHolding], segments: int) -> SlotState:
        holding = holdings.get(name)
        return SlotState(
            model_name=name,
            model=self.models.by_name.get(name),
            holding=holding,
            lacking=segments - (holding.segments if holding else 0),
            is_own=name == self.models.own.model_name,
        )
