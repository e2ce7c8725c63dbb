"""Events: what happened in the service, told to event streams and webhooks."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from domain.json import JsonObject


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """Something that happened to an execution or one of its messages.

    ``type`` is ``message.initiated|processing|completed|failed``, ``storage.object_created`` or
    ``execution.started|completed|failed|cancelled|interrupted``.
    """

    id: UUID
    type: str
    execution_id: UUID
    at: datetime
    data: JsonObject = field(default_factory=dict)

    @property
    def is_of_message(self) -> bool:
        """Whether it happened to one message rather than to the execution; an object is kept for a message."""
        return self.type.startswith(_OF_MESSAGES)


_OF_MESSAGES = ("message.", "storage.")
