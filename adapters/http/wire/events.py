"""The events of an execution on the wire."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from msgspec import Struct

from adapters.http.streaming import ServerSentEvent
from domain.event import Event
from domain.execution import Execution


class ExecutionEventResponse(Struct, frozen=True, kw_only=True):
    """What happened: `type` as webhooks name it; the stream's event name is its short form."""

    id: UUID
    type: str
    execution_id: UUID
    timestamp: datetime
    status: str
    data: dict[str, Any]


def execution_event(event: Event) -> ServerSentEvent:
    """Events of messages are named `initiated`, `processing`, `completed`, `failed`, those of objects `object_created`.

    The execution's own are named `status`.
    """
    short = event.type.rpartition(".")[2]
    response = ExecutionEventResponse(
        id=event.id,
        type=event.type,
        execution_id=event.execution_id,
        timestamp=event.at,
        status=short,
        data=dict(event.data),
    )
    name = short if event.is_of_message else "status"
    return ServerSentEvent(event=name, data=response, id=str(event.id))


def present_status(execution: Execution) -> ServerSentEvent:
    """How the execution stands when a stream begins; it has no id, because it is no event."""
    data = {
        "execution_id": execution.id,
        "status": execution.status.value,
        "type": f"execution.{execution.status}",
    }
    return ServerSentEvent(event="status", data=data)
