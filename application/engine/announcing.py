"""Tells whoever listens how executions begin and end."""

from __future__ import annotations

from uuid import UUID

from application.engine.ports import EnginePorts
from domain.event import Event
from domain.identity import derived_id


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
