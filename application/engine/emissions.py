"""Turns what a route emits into messages for the routes that come next."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from uuid import UUID

from application.engine.nonsense import require_emission
from application.ports.pipeline_adapter import Emission
from domain.broadcast import Broadcast, broadcast_id
from domain.claim_check import REFERENCE
from domain.conditions import holds
from domain.digest import Encoded, digest, encode
from domain.json import JsonObject
from domain.message import Message, MessageTooLarge, PayloadRejected, child_id
from domain.pipeline import Outbound, Pipeline, Route, is_topic

MESSAGE_LIMIT_CHARACTERS = 1 << 20

_DECODER = json.JSONDecoder()


@dataclass(frozen=True, slots=True, kw_only=True)
class Emitter:
    """Makes the children of one attempt: one for each outbound queue that an emission goes to.

    ``destinations`` pairs each outbound with the id of the route that consumes its queue. ``group_id`` is that of the
    group for which the parent stands: then the ids derive from it, for the parent may come again in another group.
    """

    parent: Message
    metadata: JsonObject
    correlation_id: UUID | None
    destinations: tuple[tuple[Outbound, str], ...]
    topics: tuple[Outbound, ...] = ()
    group_id: UUID | None = None

    def broadcasts(self, emissions: Iterable[tuple[int, Emission]]) -> list[Broadcast]:
        """What the emissions, numbered by position, say on the route's topics; raises what ``children`` raises."""
        return [
            said
            for position, emission in (emissions if self.topics else ())
            for said in self._broadcasts(position, emission)
        ]

    def children(self, emissions: Iterable[tuple[int, Emission]]) -> list[Message]:
        """The messages for emissions numbered by position; raises MessageTooLarge, PayloadRejected.

        Their payloads are what their JSON says, as the ledger would give them back: a tuple has become a list, and
        nothing that the pipeline adapter still holds is shared.
        """
        return [child for position, emission in emissions for child in self._children(position, emission)]

    def _children(self, position: int, emission: Emission) -> Iterable[Message]:
        require_emission(emission)
        encoded = encoded_within_limit(emission.payload, emission.metadata)
        payload = _decoded(encoded.text)
        metadata = {**self.metadata, **emission.metadata} if emission.metadata else self.metadata
        key = _key(position, emission)
        for out, route_id in self.destinations:
            if out.condition is None or holds(out.condition, payload):
                yield Message(
                    id=child_id(self.group_id or self.parent.id, out.queue, key),
                    execution_id=self.parent.execution_id,
                    route_id=route_id,
                    payload=payload,
                    metadata=metadata,
                    parent_id=self.parent.id,
                    parent_correlation_id=self.correlation_id,
                    encoded=encoded,
                )

    def _broadcasts(self, position: int, emission: Emission) -> Iterable[Broadcast]:
        require_emission(emission)
        payload = _decoded(encoded_within_limit(emission.payload, emission.metadata).text)
        for out in self.topics:
            if out.condition is None or holds(out.condition, payload):
                yield Broadcast(
                    id=broadcast_id(self.group_id or self.parent.id, out.queue, _key(position, emission)),
                    topic=out.queue,
                    payload=payload,
                    execution_id=self.parent.execution_id,
                    message_id=self.parent.id,
                    correlation_id=self.correlation_id,
                    metadata={**self.metadata, **emission.metadata},
                )


def _decoded(text: str) -> JsonObject:
    # We encoded it ourselves, so there is no white space around it to look for.
    payload: JsonObject = _DECODER.raw_decode(text)[0]
    return payload


def _key(position: int, emission: Emission) -> str:
    return f"#{position}" if emission.key is None else emission.key


def topics_of(route: Route) -> tuple[Outbound, ...]:
    """The topics among a route's outbounds."""
    return tuple(out for out in route.outbound if is_topic(out.queue))


def destinations_of(route: Route, pipeline: Pipeline) -> tuple[tuple[Outbound, str], ...]:
    """Where a route's emissions go: its outbound queues that some route consumes."""
    return tuple(
        (out, target.id)
        for out in route.outbound
        if (target := pipeline.route_of_queue(out.queue)) is not None
    )


def encoded_within_limit(payload: JsonObject, metadata: JsonObject) -> Encoded:
    """The payload as JSON; raises MessageTooLarge for one that is to travel by storage key instead, PayloadRejected."""
    if REFERENCE in payload:
        raise PayloadRejected(
            f"a payload may not have the key {REFERENCE}, which stands for one that is kept in storage"
        )
    try:
        encoded = encode(payload)
    except (TypeError, ValueError, RecursionError) as error:
        raise PayloadRejected(f"a payload cannot be stored as JSON: {error}") from error
    size = encoded.size + (digest(metadata).size if metadata else 0)
    if size > MESSAGE_LIMIT_CHARACTERS:
        raise MessageTooLarge(
            f"a message of {size:,} characters is over the limit of {MESSAGE_LIMIT_CHARACTERS:,}; "
            "keep it in a stage and send its key"
        )
    return encoded


def require_within_limit(payload: JsonObject) -> None:
    """Raise MessageTooLarge or PayloadRejected for a payload that cannot be a message."""
    encoded_within_limit(payload, {})
