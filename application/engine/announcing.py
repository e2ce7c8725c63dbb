"""Tells whoever listens how executions begin and end, and what they keep meanwhile."""

from __future__ import annotations

from uuid import UUID

from application.engine.ports import EnginePorts
from domain.event import Event
from domain.identity import derived_id
from domain.storage import StageObject
from domain.webhooks.object_events import stage_object_created


def announce(ports: EnginePorts, kind: str, execution_id: UUID, generation: int) -> None:
    """Publish that an execution of a generation has begun or ended.

    It does either once, so when two processes tell of it they tell of one event: it has the same id.
    """
    ports.events.publish(
        Event(
            id=derived_id(kind, execution_id, generation),
            type=kind,
            execution_id=execution_id,
            at=ports.clock.now(),
            data={"generation": generation},
        )
    )


def announce_interruption(ports: EnginePorts, execution_id: UUID, generation: int | None = None) -> None:
    """Publish that an execution is interrupted, which may happen to it more than once."""
    ports.events.publish(
        Event(
            id=ports.ids.new_id(),
            type="execution.interrupted",
            execution_id=execution_id,
            at=ports.clock.now(),
            data={} if generation is None else {"generation": generation},
        )
    )


def announce_object(ports: EnginePorts, kept: StageObject) -> None:
    """Publish that a stage has an object, as soon as it has it, while somebody follows the execution.

    Webhooks are told when the attempt is settled; the event is the same, by the same id.
    """
    if not ports.events.is_followed(kept.execution_id):
        return
    told = stage_object_created(kept, at=ports.clock.now())
    ports.events.publish(
        Event(
            id=told.id,
            type=told.type,
            execution_id=kept.execution_id,
            at=told.occurred_at,
            data={name: value for name, value in told.data.items() if name != "config_id"},
        )
    )
