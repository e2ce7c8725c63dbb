"""The hidden route through which the messages of a replay come into its execution."""

from __future__ import annotations

from dataclasses import replace
from uuid import UUID

from domain.json import JsonObject
from domain.message import Message, init_message_id
from domain.pipeline import AdapterStep, Inbound, InitMessage, Outbound, Pipeline, Route, is_topic
from domain.replay import Replay, ReplayRouteUnknown
from domain.replayed_message import BATCH

# Known to the engine's own registry alone; validation asks the one within, which has no such type.
SEEDER = "~replay_seeder"
_ROUTE = "~replay"


def with_seeding(pipeline: Pipeline, replay: Replay) -> Pipeline:
    """The pipeline as a replay runs it: with the route that seeds it, and without what was done before its stage.

    Raises ReplayRouteUnknown when the route that the messages enter is not there.
    """
    entered = pipeline.routes.get(replay.destination.enters)
    if entered is None:
        raise ReplayRouteUnknown(f"the pipeline has no route {replay.destination.enters!r}")
    entered = _with_a_queue(_without_what_was_done(entered, replay.destination.after_step), pipeline)
    seeding = Route(
        id=seeding_route_id(pipeline),
        name="Replay",
        description="Sends out the messages of the replay.",
        inbound=Inbound(queue=seeding_route_id(pipeline), concurrency=1, prefetch=1),
        adapters=[AdapterStep(type=SEEDER, config=replay.as_json())],
        outbound=[Outbound(queue=entered.inbound.queue)],
    )
    return replace(
        pipeline,
        routes={**pipeline.routes, entered.id: entered, seeding.id: seeding},
        init_message=InitMessage(route=seeding.id),
    )


def seeding_route_id(pipeline: Pipeline) -> str:
    """The id of the hidden route, and the name of its queue; always the same for one pipeline, and its own."""
    taken = {*pipeline.routes, *(route.inbound.queue for route in pipeline.routes.values())}
    route_id = _ROUTE
    while route_id in taken:
        route_id = "~" + route_id
    return route_id


def seed_message(execution_id: UUID, pipeline: Pipeline, replay: Replay, given: JsonObject) -> Message:
    """The one message with which the execution of a replay begins; ``pipeline`` is the one without seeding."""
    return Message(
        id=init_message_id(execution_id),
        execution_id=execution_id,
        route_id=seeding_route_id(pipeline),
        payload=given,
        metadata={BATCH: str(replay.batch_id)},
    )


def _with_a_queue(route: Route, pipeline: Pipeline) -> Route:
    """A route that listens to a topic gets a queue in its place: a replay is not to be heard by other executions."""
    if not is_topic(route.inbound.queue):
        return route
    return replace(route, inbound=replace(route.inbound, queue=f"{seeding_route_id(pipeline)}.in"))


def _without_what_was_done(route: Route, after_step: int | None) -> Route:
    """The first pipeline adapter, which loads the object, and those after the one that kept it."""
    if after_step is None:
        return route
    return replace(route, adapters=[route.adapters[0], *route.adapters[after_step + 1 :]])
