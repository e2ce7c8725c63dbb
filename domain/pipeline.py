"""A pipeline as configured: routes joined by queues, each an ordered list of pipeline adapters.

These are the values of a *valid* config; ``domain.validation`` turns parsed YAML into findings and, when there are
no errors, into a ``Pipeline``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from domain.json import Json, JsonObject

TOPIC_PREFIX = "/topic/"


class Operator(StrEnum):
    """How a condition compares the message's field with its value."""

    EQUALS = "equals"
    NOT_EQUALS = "not_equals"
    MATCHES = "matches"
    CONTAINS = "contains"
    IN = "in"
    EXISTS = "exists"
    GREATER_THAN = "greater_than"
    LESS_THAN = "less_than"


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """A gate on one dotted field path of the message; ``domain.conditions.holds`` evaluates it."""

    field: str
    operator: Operator
    value: Json = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AdapterStep:
    """One entry of a route's ``adapters:`` list; a condition that is false skips this step alone."""

    type: str
    config: JsonObject = field(default_factory=dict)
    condition: Condition | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Inbound:
    """Where a route's messages come from. ``prefetch`` is in messages, twice the concurrency unless given."""

    queue: str
    subscription: str | None = None
    concurrency: int = 5
    prefetch: int = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Outbound:
    """One queue a route's emissions go to, each emission for which the condition holds."""

    queue: str
    condition: Condition | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ErrorHandling:
    """What becomes of a message whose adapter raises. ``retry_delay_seconds`` is the base of the back-off."""

    max_retries: int = 3
    retry_delay_seconds: float = 10.0
    dead_letter_queue: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Backpressure:
    """The aim of a route's adaptive concurrency."""

    target_latency_ms: float = 500.0
    max_concurrency: int = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """A named lane: one inbound queue, the pipeline adapters run in order, and where their emissions go."""

    id: str
    name: str
    description: str = ""
    inbound: Inbound
    adapters: Sequence[AdapterStep]
    outbound: Sequence[Outbound] = ()
    error_handling: ErrorHandling = ErrorHandling()
    backpressure: Backpressure | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class InitMessage:
    """The message that starts a run: a payload for one route."""

    route: str
    payload: JsonObject = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pipeline:
    """A whole valid pipeline config. ``max_dead_letters`` is None where it leaves that to the server."""

    version: str
    routes: Mapping[str, Route]
    init_message: InitMessage | None = None
    max_dead_letters: int | None = None

    def route_of_queue(self, queue: str) -> Route | None:
        """The one route that consumes a queue (validation refuses two), or None; a topic has listeners instead."""
        if is_topic(queue):
            return None
        return next((route for route in self.routes.values() if route.inbound.queue == queue), None)

    def edges(self) -> Sequence[tuple[str, str, str]]:
        """The joints as ``(from_route, to_route, queue)``, in the order of the config."""
        return tuple(
            (route.id, target.id, out.queue)
            for route in self.routes.values()
            for out in route.outbound
            if (target := self.route_of_queue(out.queue)) is not None
        )

    def routes_leading_to(self, route_id: str) -> frozenset[str]:
        """The routes whose messages can come to a route, itself among them when it is part of a circle."""
        found: set[str] = set()
        ahead = {route_id}
        while ahead:
            before = {source for source, target, _ in self.edges() if target in ahead}
            ahead = before - found
            found |= before
        return frozenset(found)


def is_topic(queue: str) -> bool:
    """Whether a name stands for a broadcast topic, which is shared and never scoped to an execution."""
    return queue.startswith(TOPIC_PREFIX)
