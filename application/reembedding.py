"""Embedding what is indexed into a further slot, as an execution of the shipped pipeline ``re-embed``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from application.embedding_models import EmbeddingModels
from application.executions import Executions
from application.ports.embedding_slots import EmbeddingSlots
from domain.embedding_slot import require_same_model
from domain.errors import Conflict, Invalid, NotFound
from domain.execution import Execution, ExecutionNotFound, ExecutionStatus
from domain.identity import derived_id

CONFIG_ID = derived_id("shipped config", "pipelines/re-embed.yaml")
MOST_RUNNING = 1000
MAX_ORIGINS = 100


class ReembeddingNotFound(NotFound):
    """There is no re-embedding run with that id."""

    code = "reembedding_not_found"


class ReembeddingUnderway(Conflict):
    """The slot is being filled by another run already."""

    code = "reembedding_underway"


class InvalidReembedding(Invalid):
    """A re-embedding run may be restricted to 1 to 100 origins."""

    code = "reembedding_invalid"


@dataclass(frozen=True, slots=True, kw_only=True)
class Reembedding:
    """One run: of ``total`` segments that had no vector in the slot when it began, ``embedded`` have one now.

    ``lacking`` have none, those that came into the index since among them; ``failed`` is how many messages are dead.
    """

    execution: Execution
    model_name: str
    origins: Sequence[str]
    total: int
    embedded: int
    lacking: int

    @property
    def id(self) -> UUID:
        """That of its execution."""
        return self.execution.id

    @property
    def status(self) -> ExecutionStatus:
        """That of its execution."""
        return self.execution.status

    @property
    def failed(self) -> int:
        """Messages that are dead; redriving them does the rest."""
        return self.execution.counts.dead

    @property
    def completed_at(self) -> datetime | None:
        """When it ended."""
        return self.execution.completed_at


@dataclass(frozen=True, slots=True, kw_only=True)
class Reembeddings:
    """Begins runs and tells how far they have come. To begin again is right after one that did not do everything."""

    executions: Executions
    slots: EmbeddingSlots
    models: EmbeddingModels

    async def begin(self, model_name: str, *, origins: Sequence[str] = ()) -> Reembedding:
        """Embed every current segment, or those of some origins, that has no vector in the slot.

        Raises EmbeddingSlotNotFound where this server has no model for it, EmbeddingModelMixed, ReembeddingUnderway,
        InvalidReembedding, and what starting an execution does.
        """
        model = self.models.named(model_name)
        if len(origins) > MAX_ORIGINS or not all(origins):
            raise InvalidReembedding
        for holding in await self.slots.holdings():
            if holding.model_name == model_name:
                require_same_model(model_name, holding.identity, model.identity)
        await self._require_none_underway(model_name)
        coverage = await self.slots.coverage(model_name, origins=origins)
        wanted = {"model_name": model_name, "origins": list(origins)}
        execution = await self.executions.start(
            CONFIG_ID,
            metadata={"reembedding": {**wanted, "segments": coverage.lacking}},
            init_payload_overrides=wanted,
        )
        return await self._of(execution)

    async def get(self, id_or_tag: str) -> Reembedding:
        """One run as it stands; raises ReembeddingNotFound."""
        try:
            execution = await self.executions.get(id_or_tag)
        except ExecutionNotFound as error:
            raise ReembeddingNotFound from error
        return await self._of(execution)

    async def list(self, *, limit: int, offset: int = 0) -> tuple[Sequence[Reembedding], int]:
        """A page of the runs, the latest first, and how many there are."""
        found, total = await self.executions.list(config_id=CONFIG_ID, limit=limit, offset=offset)
        return [await self._of(one) for one in found if "reembedding" in one.metadata], total

    async def cancel(self, id_or_tag: str) -> Reembedding:
        """Stop a run; what is embedded stays. Raises ReembeddingNotFound, StatusChangeNotAllowed."""
        run = await self.get(id_or_tag)
        _, execution = await self.executions.change_status(str(run.id), ExecutionStatus.CANCELLED)
        return await self._of(execution)

    async def _require_none_underway(self, model_name: str) -> None:
        for status in (ExecutionStatus.RUNNING, ExecutionStatus.INTERRUPTED):
            running, _ = await self.executions.list(status=status, config_id=CONFIG_ID, limit=MOST_RUNNING)
            for execution in running:
                if _wanted(execution)[0] == model_name:
                    raise ReembeddingUnderway(f"the slot is being filled by {execution.id} already")

    async def _of(self, execution: Execution) -> Reembedding:
        model_name, origins, total = _wanted(execution)
        coverage = await self.slots.coverage(model_name, origins=origins)
        return Reembedding(
            execution=execution,
            model_name=model_name,
            origins=origins,
            total=total,
            embedded=min(max(total - coverage.lacking, 0), total),
            lacking=coverage.lacking,
        )


def _wanted(execution: Execution) -> tuple[str, Sequence[str], int]:
    wanted = execution.metadata.get("reembedding")
    if execution.config_id != CONFIG_ID or not isinstance(wanted, dict):
        raise ReembeddingNotFound
    model_name, origins, segments = wanted.get("model_name"), wanted.get("origins"), wanted.get("segments")
    if not isinstance(model_name, str) or not isinstance(origins, list) or not isinstance(segments, int):
        raise ReembeddingNotFound
    return model_name, [str(origin) for origin in origins], segments
