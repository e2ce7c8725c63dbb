"""What an embedding slot holds, and what it lacks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from domain.errors import Conflict


class EmbeddingModelMixed(Conflict):
    """The slot holds vectors of another model than this one: name a new slot, or delete this one and embed anew."""

    code = "embedding_model_mixed"


@dataclass(frozen=True, slots=True, kw_only=True)
class SlotHolding:
    """A slot as it is stored.

    ``identity`` says which weights and arithmetic made its vectors, None where that is not known. ``segments`` of
    current document versions have a vector in it, of ``documents``; ``vectors`` counts those of other versions too.
    ``size_bytes`` is what the vectors take, indexes apart.
    """

    model_name: str
    dimension: int
    identity: str | None
    segments: int
    documents: int
    vectors: int
    size_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Coverage:
    """Of how many segments of current document versions how many have a vector in a slot."""

    segments: int
    held: int

    @property
    def lacking(self) -> int:
        """How many have none."""
        return self.segments - self.held


@dataclass(frozen=True, slots=True, kw_only=True)
class LackingDocument:
    """The segments of a current document version that have no vector in a slot, in their order."""

    document_id: str
    version: int
    segment_ids: Sequence[UUID]


def require_same_model(model_name: str, held: str | None, given: str) -> None:
    """Raise EmbeddingModelMixed where both identities are known and not the same."""
    if held and given and held != given:
        raise EmbeddingModelMixed(
            f"the slot {model_name!r} holds vectors of {held}, not of {given}: "
            "name a new slot for the other model, or delete this one and embed anew"
        )
