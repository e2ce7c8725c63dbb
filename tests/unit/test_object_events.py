"""What an execution keeps, told to whoever follows it, and the end of that."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from uuid import UUID, uuid4

from application.executions import Executions
from application.ports.pipeline_adapter import AdapterResult, PipelineContext
from domain.event import Event
from tests.unit.replaying import memory_stores, shelf

YAML = """
version: "1.0"
routes:
  use:
    inbound: {queue: use}
    adapters: [{type: use}]
init_message: {route: use, payload: {}}
"""


async def test_what_goes_on_afterwards_does_not_keep_a_stream_from_ending() -> None:
    """An execution that is redriven at once is busy again before the last of its objects have been waited for."""
    may_end = asyncio.Event()

    async def use(context: PipelineContext) -> AdapterResult:
        await may_end.wait()
        return AdapterResult(message=context.message)

    async with shelf(memory_stores(), further={"use": use}) as on:
        checked = await on.executions.configs.create(name="one", yaml=YAML)
        begun = await on.executions.start(checked.config.id)
        told = asyncio.create_task(last_of(on.executions, begun.id))
        bus = on.engine.ports.events
        async with asyncio.timeout(20):
            while not bus.is_followed(begun.id):  # noqa: ASYNC110 (nothing else tells it)
                await asyncio.sleep(0.01)
            may_end.set()
            while not told.done():
                bus.publish(happened("message.completed", begun.id))
                await asyncio.sleep(0.01)
        assert told.result() == "execution.completed"


async def last_of(executions: Executions, execution_id: UUID) -> str:
    """The type of the last event of a stream of objects."""
    events = [event async for event in executions.events(str(execution_id), of_objects=True)]
    return events[-1].type


def happened(kind: str, execution_id: UUID) -> Event:
    """An event of now."""
    return Event(id=uuid4(), type=kind, execution_id=execution_id, at=datetime.now(UTC))
