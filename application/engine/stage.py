"""Gives pipeline adapters their place in storage."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from application.ports.object_storage import ObjectStorage
from domain.json import JsonObject
from domain.storage import ObjectNotFound, StageObject, StoredObject, stage_key


@dataclass(slots=True, kw_only=True)
class MessageStage:
    """The ``Stage`` of one message at one pipeline adapter.

    Objects are written if absent, so a second attempt of a costly or random adapter agrees with the first. ``objects``
    gets each that was kept, for the settlement to tell of; ``announce`` is told of it at once.
    """

    storage: ObjectStorage
    execution_id: UUID
    route_id: str
    message_id: UUID
    attempt: int
    adapter_name: str
    correlation_id: UUID
    at: datetime
    provenance: JsonObject
    objects: list[StageObject] = field(default_factory=list)
    announce: Callable[[StageObject], None] = lambda _: None

    async def keep(
        self,
        stage: str,
        content: bytes,
        *,
        extension: str = "",
        content_type: str = "application/octet-stream",
        metadata: JsonObject | None = None,
    ) -> str:
        """Write the stage's object unless an earlier attempt did; returns its key."""
        stored = await self.storage.write(
            self._key(stage, extension),
            content,
            content_type=content_type,
            metadata={**self._sidecar(stage), **(metadata or {})},
            if_absent=True,
        )
        self._note(stage, stored)
        return stored.key

    async def kept(self, stage: str, *, extension: str = "") -> bytes | None:
        """What an earlier attempt at this message kept for the stage, or None."""
        if self.attempt == 1:
            return None
        try:
            stored, content = await self.storage.fetch(self._key(stage, extension))
        except ObjectNotFound:
            return None
        self._note(stage, stored)
        return content

    def _note(self, stage: str, stored: StoredObject) -> None:
        kept = StageObject(
            stored=stored,
            execution_id=self.execution_id,
            route_id=self.route_id,
            stage=stage,
            message_id=self.message_id,
            adapter_name=self.adapter_name,
            correlation_id=self.correlation_id,
        )
        self.objects.append(kept)
        self.announce(kept)

    def _key(self, stage: str, extension: str) -> str:
        return stage_key(self.execution_id, self.route_id, stage, self.message_id, extension)

    def _sidecar(self, stage: str) -> JsonObject:
        return {
            **self.provenance,
            "execution_id": str(self.execution_id),
            "route_id": self.route_id,
            "stage": stage,
            "adapter_name": self.adapter_name,
            "message_id": str(self.message_id),
            "correlation_id": str(self.correlation_id),
            "created_at": self.at.isoformat(),
        }
