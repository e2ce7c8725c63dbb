"""The embedding models of this server by their slots."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from application.ports.embedding_model import EmbeddingModel
from domain.errors import NotFound


class EmbeddingSlotNotFound(NotFound):
    """There is no embedding slot of that name to search in."""

    code = "embedding_slot_not_found"


@dataclass(frozen=True, slots=True, kw_only=True)
class EmbeddingModels:
    """``own`` is the model of the slot that is meant where none is named, ``others`` those of further slots."""

    own: EmbeddingModel
    others: Sequence[EmbeddingModel] = ()

    @property
    def by_name(self) -> Mapping[str, EmbeddingModel]:
        """Every model by its slot, the own one first."""
        return {model.model_name: model for model in (self.own, *self.others)}

    def named(self, model_name: str | None) -> EmbeddingModel:
        """The model of a slot, the own one for None; raises EmbeddingSlotNotFound."""
        if model_name is None:
            return self.own
        there_are = self.by_name
        if model_name not in there_are:
            known = ", ".join(there_are)
            raise EmbeddingSlotNotFound(f"there is no embedding slot {model_name[:200]!r}; there is: {known}")
        return there_are[model_name]
