"""What the embedding slots hold."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol
from uuid import UUID

from domain.embedding_slot import Coverage, LackingDocument, SlotHolding


class EmbeddingSlots(Protocol):
    """Looks after the vectors of slots; ``SegmentIndex`` puts them in and compares them. Safe for concurrent use."""

    async def holdings(self) -> Sequence[SlotHolding]:
        """Every slot that vectors were put into and that was not dropped since, by name."""
        ...

    async def coverage(self, model_name: str, *, origins: Sequence[str] = ()) -> Coverage:
        """How much of the index, or of some origins, has a vector in a slot; nothing has in one that is not there."""
        ...

    async def lacking(
        self, model_name: str, *, origins: Sequence[str] = (), after: str = "", limit: int
    ) -> Sequence[LackingDocument]:
        """Documents with segments that have no vector in a slot, those with ids above ``after``, by document id."""
        ...

    async def remove(
        self,
        *,
        document_id: str | None = None,
        execution_id: UUID | None = None,
        model_name: str | None = None,
    ) -> int:
        """Take vectors out, and return how many: those of a document, or of what an execution indexed, or both.

        ``model_name`` restricts it to one slot. With neither of the others nothing is taken out. Segments stay, and
        are found by their words.
        """
        ...

    async def drop(self, model_name: str) -> int | None:
        """Take a slot away with all its vectors, and return how many there were; None where there is none.

        It is there with all its vectors or gone with all of them. A vector put in later makes a new slot of that name,
        which may be another model's; an index over it goes with it. Raises IndexBuildUnderway.
        """
        ...
