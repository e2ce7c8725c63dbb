"""Turns what a route emits into messages for the routes that come next."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from uuid import UUID

from application.ports.pipeline_adapter import Emission
from domain.conditions import holds
from domain.digest import digest
from domain.json import JsonObject
from domain.message import Message, MessageTooLarge, child_id
from domain.pipeline import Outbound, Pipeline, Route

MESSAGE_LIMIT_CHARACTERS = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Emitter:
    """Makes the children of one attempt: one for each outbound queue that an emission goes to.

    ``destinations`` pairs each outbound with the id of the route that consumes its queue.
    """

    parent: Message
    metadata: JsonObject
    correlation_id: UUID | None
    destinations: tuple[tuple[Outbound, str], ...]

    def children(self, emissions: Iterable[tuple[int, Emission]]) -> list[Message]:
        """The messages for emissions numbered by position; raises MessageTooLarge."""
        return [
            self._child(out.queue, route_id, position, emission)
            for position, emission in emissions
            if _is_small_enough(emission)
            for out, route_id in self.destinations
            if out.condition is None or holds(out.condition, emission.payload)
        ]

    def _child(self, queue: str, route_id: str, position: int, emission: Emission) -> Message:
        key = f"#{position}" if emission.key is None else emission.key
        return Message(
            id=child_id(self.parent.id, queue, key),
            execution_id=self.parent.execution_id,
            route_id=route_id,
            payload=emission.payload,
            metadata={**self.metadata, **emission.metadata},
            parent_id=self.parent.id,
            parent_correlation_id=self.correlation_id,
        )


def destinations_of(route: Route, pipeline: Pipeline) -> tuple[tuple[Outbound, str], ...]:
    """Where a route's emissions go: its outbound queues that some route consumes."""
    return tuple(
        (out, target.id)
        for out in route.outbound
        if (target := pipeline.route_of_queue(out.queue)) is not None
    )


def require_within_limit(*parts: JsonObject) -> None:
    """Raise MessageTooLarge for a payload and metadata that are to travel by storage key instead."""
    size = sum(digest(part).size for part in parts if part)
    if size > MESSAGE_LIMIT_CHARACTERS:
        raise MessageTooLarge(
            f"a message of {size:,} characters is over the limit of {MESSAGE_LIMIT_CHARACTERS:,}; "
            "keep it in a stage and send its key"
        )


def _is_small_enough(emission: Emission) -> bool:
    require_within_limit(emission.payload, emission.metadata)
    return True
