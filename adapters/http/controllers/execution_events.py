"""The stream of what happens to an execution."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Annotated, Any

from litestar import Controller, get
from litestar.di import NamedDependency
from litestar.params import QueryParameter, SkipValidation

from adapters.http.controllers.executions import IdOrTag, UseCase
from adapters.http.settings import HttpSettings
from adapters.http.streaming import EVENT_STREAM, EventStream, ServerSentEvent, closing
from adapters.http.wire.events import execution_event, present_status
from application.executions import Executions
from domain.execution import Execution, ExecutionNotFound

_EXAMPLE = 'id: 01890a5e-0c3b-7d11-9d3c-6c1c3d1b0a55\nevent: completed\ndata: {"type":"message.completed","status":"completed"}\n\n'
_ANSWER: dict[str, Any] = {
    "description": "Server-sent events: `initiated`, `processing`, `completed`, `failed` for messages, `status` for the run.",
    "content": {EVENT_STREAM: {"example": _EXAMPLE}},
}


LAST_EVENT_ID: dict[str, Any] = {
    "name": "Last-Event-ID",
    "in": "header",
    "required": False,
    "description": "Accepted. Events are told once and not kept, so a stream taken up again begins with the status.",
    "schema": {"type": "string"},
}

Seconds = Annotated[
    int, QueryParameter(name="timeout", ge=1, le=3600, description="Seconds after which the stream ends.")
]


class ExecutionEventsController(Controller):
    path = "/api/v1/executions/{execution_id:str}/events"
    tags = ("executions",)

    @get(
        operation_id="stream_execution_events",
        summary="Follow an execution's events",
        opt={"errors": (ExecutionNotFound,), "answer": _ANSWER, "parameters": [LAST_EVENT_ID]},
    )
    async def stream(
        self,
        executions: UseCase,
        settings: NamedDependency[SkipValidation[HttpSettings]],
        execution_id: IdOrTag,
        seconds: Seconds = 300,
    ) -> EventStream:
        """Begins with how the execution stands, and ends when it has ended, when the time is up, or with the client."""
        execution = await executions.get(execution_id)
        events = followed(executions, execution, timeout_seconds=seconds)
        return EventStream(events, heartbeat_seconds=settings.heartbeat_seconds)


async def followed(
    executions: Executions, execution: Execution, *, timeout_seconds: float
) -> AsyncIterator[ServerSentEvent]:
    """The execution's present status unless it has ended, then every event."""
    if not execution.status.is_terminal:
        yield present_status(execution)
    async with closing(executions.events(str(execution.id), timeout_seconds=timeout_seconds)) as events:
        async for event in events:
            yield execution_event(event)
