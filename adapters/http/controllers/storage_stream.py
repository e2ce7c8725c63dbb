"""The stream of the objects that an execution keeps."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Annotated, Any

from litestar import Controller, get
from litestar.di import NamedDependency
from litestar.params import QueryParameter, SkipValidation

from adapters.http.controllers.execution_events import LAST_EVENT_ID, Seconds
from adapters.http.controllers.executions import IdOrTag, UseCase
from adapters.http.settings import HttpSettings
from adapters.http.streaming import EVENT_STREAM, EventStream, ServerSentEvent, closing
from adapters.http.wire.events import execution_event, present_status
from application.engine.snapshot import SnapshotNotRunnable
from application.executions import Executions
from domain.execution import Execution, ExecutionNotFound
from domain.pause import RouteNotFound

_EXAMPLE = (
    "id: 3f1c2a60-5d7e-8b21-9c44-0a1b2c3d4e5f\nevent: object_created\n"
    'data: {"type":"storage.object_created","data":{"key":"executions/01890a5e/read/markdown/9f86d081.md"}}\n\n'
)
_ANSWER: dict[str, Any] = {
    "description": "Server-sent events: `object_created` for each object, `status` for the run.",
    "content": {EVENT_STREAM: {"example": _EXAMPLE}},
}
OfRoute = Annotated[
    str | None, QueryParameter(name="route_id", description="The objects of this route alone.")
]


class StorageStreamController(Controller):
    path = "/api/v1/executions/{execution_id:str}/storage-stream"
    tags = ("executions",)

    @get(
        operation_id="stream_execution_storage",
        summary="Follow what an execution stores",
        opt={
            "errors": (ExecutionNotFound, RouteNotFound, SnapshotNotRunnable),
            "answer": _ANSWER,
            "parameters": [LAST_EVENT_ID],
        },
    )
    async def stream(
        self,
        executions: UseCase,
        settings: NamedDependency[SkipValidation[HttpSettings]],
        execution_id: IdOrTag,
        route_id: OfRoute = None,
        seconds: Seconds = 300,
    ) -> EventStream:
        """Each object as soon as it is stored, by whichever process; ends when the execution has ended or the time is up."""
        if route_id is None:
            execution = await executions.get(execution_id)
        else:
            execution, pipeline = await executions.pipeline(execution_id)
            if route_id not in pipeline.routes:
                raise RouteNotFound(f"the execution has no route {route_id!r}")
        events = _followed(executions, execution, route_id, timeout_seconds=seconds)
        return EventStream(events, heartbeat_seconds=settings.heartbeat_seconds)


async def _followed(
    executions: Executions, execution: Execution, route_id: str | None, *, timeout_seconds: float
) -> AsyncIterator[ServerSentEvent]:
    if not execution.status.is_terminal:
        yield present_status(execution)
    following = executions.events(str(execution.id), timeout_seconds=timeout_seconds, of_objects=True)
    async with closing(following) as events:
        async for event in events:
            if not event.is_of_message or route_id in {None, event.data.get("route_id")}:
                yield execution_event(event)
