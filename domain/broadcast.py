"""A broadcast: what a pipeline adapter says on a topic, and the message that it becomes where a route listens.

Broadcasts travel beside the ledger, at most once. What is heard becomes a message of the listening execution, so that
its processing is accounted for like any other.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from uuid import UUID

from domain.identity import derived_id
from domain.json import Json, JsonObject
from domain.message import Message


@dataclass(frozen=True, slots=True, kw_only=True)
class Broadcast:
    """Something said on a topic by a message of an execution.

    ``id`` derives from the message, the topic and the emission's key, so that what is said twice is heard once.
    ``correlation_id`` is the lineage key of the attempt that said it.
    """

    id: UUID
    topic: str
    payload: JsonObject
    execution_id: UUID
    message_id: UUID
    correlation_id: UUID | None = None
    metadata: JsonObject = field(default_factory=dict)

    def as_json(self) -> JsonObject:
        """As it travels; ``heard_in`` reads it."""
        return {
            "id": str(self.id),
            "topic": self.topic,
            "payload": self.payload,
            "execution_id": str(self.execution_id),
            "message_id": str(self.message_id),
            "correlation_id": None if self.correlation_id is None else str(self.correlation_id),
            "metadata": self.metadata,
        }

    def message_for(self, execution_id: UUID, route_id: str) -> Message:
        """What the broadcast becomes for one listening route: the same each time, also in two processes.

        Its parent is the message that said it, of whatever execution: it is no init message, whose death would fail
        the run. Lineage leads back to the speaker only within one execution.
        """
        is_own = execution_id == self.execution_id
        return Message(
            id=derived_id("broadcast", execution_id, route_id, self.id),
            execution_id=execution_id,
            route_id=route_id,
            payload=self.payload,
            metadata=self.metadata,
            parent_id=self.message_id,
            parent_correlation_id=self.correlation_id if is_own else None,
        )


def broadcast_id(message_id: UUID, topic: str, emission_key: str) -> UUID:
    """The id of what a message says on a topic under a key (its position unless the adapter gives one)."""
    return derived_id("said", message_id, topic, emission_key)


def heard_in(value: JsonObject) -> Broadcast | None:
    """The broadcast that travelled as JSON; None for what is no broadcast of ours."""
    payload, metadata, topic = value.get("payload"), value.get("metadata"), value.get("topic")
    if not isinstance(payload, Mapping) or not isinstance(metadata, Mapping) or not isinstance(topic, str):
        return None
    try:
        return Broadcast(
            id=_uuid(value.get("id")),
            topic=topic,
            payload=payload,
            execution_id=_uuid(value.get("execution_id")),
            message_id=_uuid(value.get("message_id")),
            correlation_id=None if value.get("correlation_id") is None else _uuid(value["correlation_id"]),
            metadata=metadata,
        )
    except ValueError:
        return None


def _uuid(value: Json) -> UUID:
    return UUID(str(value))
