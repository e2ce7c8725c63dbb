"""Puts an execution's processors and feeds together; nothing runs yet."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeAlias
from uuid import UUID

from application.engine.adapter_chain import AdapterChain
from application.engine.announcing import announce_object
from application.engine.attempt import Attempt
from application.engine.collecting_inbox import CollectingInbox
from application.engine.collecting_processor import CollectingProcessor
from application.engine.collecting_step import CollectingStep
from application.engine.deadlines import Deadlines
from application.engine.emissions import Emitter, destinations_of, topics_of
from application.engine.execution_run import ExecutionRun, scoped_queue
from application.engine.flushing import Flushing, leading_elsewhere
from application.engine.follow_up import publish
from application.engine.group_attempt import GroupAttempt
from application.engine.group_commit import GroupCommit
from application.engine.handovers import Reservation, reserve
from application.engine.ports import EnginePorts
from application.engine.quarantine import Quarantine
from application.engine.route_feed import RouteFeed
from application.engine.route_gate import REST, RouteGate
from application.engine.route_gates import RouteGates
from application.engine.route_processor import RouteProcessor
from application.engine.shared_feed import SharedFeed
from application.engine.stateful import StatefulAdapters
from application.engine.streaming import StreamingFanOut
from application.engine.topics import Broadcasts, TopicListener
from application.ports.ledger import ClaimRequest, Settled
from application.ports.pipeline_adapter import BuiltAdapter, CollectingAdapter, PipelineAdapter
from domain.execution import ExecutionStatus
from domain.findings import InvalidAdapterConfig
from domain.grouping import Groups
from domain.message import Claim, Message, Settlement
from domain.pipeline import AdapterStep, Pipeline, Route, is_topic

Steps: TypeAlias = "Sequence[tuple[AdapterStep, BuiltAdapter]]"


@dataclass(slots=True, kw_only=True)
class Assembly:
    """What all routes of an execution share."""

    ports: EnginePorts
    execution_id: UUID
    pipeline: Pipeline
    gates: RouteGates
    quarantine: Quarantine
    deadlines: Deadlines
    broadcasts: Broadcasts
    claims: GroupCommit[ClaimRequest, Claim | None]
    settlements: GroupCommit[Settlement, Settled]
    together: GroupCommit[Sequence[Settlement], Sequence[Settled]]
    finished: Callable[[UUID, ExecutionStatus], None]
    crashed: Callable[[UUID, BaseException], None]

    def run(self) -> ExecutionRun:
        """The run, with every pipeline adapter built; raises UnknownPipelineAdapter, InvalidAdapterConfig."""
        routes = self.pipeline.routes.values()
        built = {route.id: self._steps(route) for route in routes}
        processors: dict[str, RouteProcessor] = {}
        feeds = {route.id: self._feed(route, processors) for route in routes}
        self.gates.keep(self.execution_id, {route.id: self._gate(route) for route in routes})
        for route in routes:
            processors[route.id] = self._processor(route, built[route.id], feeds, processors)
        return ExecutionRun(
            execution_id=self.execution_id,
            adapters=StatefulAdapters(execution_id=self.execution_id, steps=built),
            processors=processors,
            feeds=feeds,
            crashed=self.crashed,
            listeners=[
                self._listener(route, feeds[route.id]) for route in routes if is_topic(route.inbound.queue)
            ],
            flushing=[
                Flushing(processor=one, apart_from=leading_elsewhere(self.pipeline, one.route))
                for one in processors.values()
                if isinstance(one, CollectingProcessor)
            ],
        )

    def _steps(self, route: Route) -> Steps:
        return [(step, self.ports.registry.build(step.type, step.config)) for step in route.adapters]

    def _gate(self, route: Route) -> RouteGate:
        return RouteGate(self.execution_id, route, clock=self.ports.clock, rules=self.ports.settings.breaker)

    def _listener(self, route: Route, feed: RouteFeed) -> TopicListener:
        return TopicListener(
            ports=self.ports,
            execution_id=self.execution_id,
            route_id=route.id,
            topic=route.inbound.queue,
            offer=feed.offer,
        )

    def _feed(self, route: Route, processors: Mapping[str, RouteProcessor]) -> RouteFeed:
        queue_name = scoped_queue(self.execution_id, route)
        if self.ports.queue.is_private:
            return RouteFeed(
                ports=self.ports, execution_id=self.execution_id, route_id=route.id, queue_name=queue_name
            )
        return SharedFeed(
            ports=self.ports,
            execution_id=self.execution_id,
            route_id=route.id,
            queue_name=queue_name,
            is_idle=lambda: processors[route.id].is_idle,
            jitter=self.ports.owner.int % 997 / 997,
        )

    def _processor(
        self,
        route: Route,
        steps: Steps,
        feeds: Mapping[str, RouteFeed],
        processors: Mapping[str, RouteProcessor],
    ) -> RouteProcessor:
        gate = self.gates.of(self.execution_id)[route.id]
        collecting = [(step, one) for step, one in steps[:1] if isinstance(one, CollectingAdapter)]
        chain = AdapterChain(
            route_id=route.id,
            steps=_processing(steps[len(collecting) :]),
            first=len(collecting),
            storage=self.ports.storage,
            lineage=self.ports.lineage,
            clock=self.ports.clock,
            deadlines=self.deadlines,
            observe=gate.observe,
            announce=partial(announce_object, self.ports),
        )
        attempt = Attempt(
            ports=self.ports,
            route=route,
            gate=gate,
            chain=chain,
            destinations=destinations_of(route, self.pipeline),
            topics=topics_of(route),
            broadcasts=self.broadcasts,
            fan_out=partial(self._fan_out, gate, self._ahead(route), feeds, processors),
        )
        make: Callable[..., RouteProcessor] = RouteProcessor
        if collecting:
            make = partial(self._collecting, *collecting[0])
        return make(
            ports=self.ports,
            route=route,
            gate=gate,
            quarantine=self.quarantine,
            attempt=attempt,
            feeds=feeds,
            claims=self.claims,
            settlements=self.settlements,
            finished=self.finished,
            crashed=partial(self.crashed, self.execution_id),
        )

    def _collecting(
        self, step: AdapterStep, adapter: CollectingAdapter, *, attempt: Attempt, **shared: Any
    ) -> CollectingProcessor:
        return CollectingProcessor(
            **shared,
            attempt=attempt,
            inbox=CollectingInbox(groups=Groups(grouping=adapter.grouping), clock=self.ports.clock),
            group_attempt=GroupAttempt(
                attempt=attempt, step=CollectingStep(step=step, adapter=adapter, chain=attempt.chain)
            ),
            together=self.together,
        )

    def _ahead(self, route: Route) -> Sequence[str]:
        """The routes that a route feeds and that do not lead back to it.

        Waiting for room in one that leads back could be waiting for ourselves.
        """
        leading_back = self.pipeline.routes_leading_to(route.id)
        fed = {route_id for _, route_id in destinations_of(route, self.pipeline)}
        return sorted(fed - leading_back)

    def _fan_out(
        self,
        gate: RouteGate,
        ahead: Sequence[str],
        feeds: Mapping[str, RouteFeed],
        processors: Mapping[str, RouteProcessor],
        claim: Claim,
        emitter: Emitter,
    ) -> StreamingFanOut:
        async def wait_for_room(count: int) -> None:
            for route_id in ahead:
                await unless_all_rests(gate, feeds[route_id].wait_for_room())
                await unless_all_rests(gate, processors[route_id].inbox.wait_for_room(count))

        def reserve_room(children: Sequence[Message]) -> Reservation:
            takes = self.ports.queue.is_private
            return reserve(children, lambda child: processors.get(child.route_id) if takes else None)

        return StreamingFanOut(
            ports=self.ports,
            claim=claim,
            emitter=emitter,
            deadlines=self.deadlines,
            reserve=reserve_room,
            say=self.broadcasts.say,
            publish=lambda messages: publish(messages, feeds),
            wait_for_room=wait_for_room,
        )


def _processing(steps: Steps) -> Sequence[tuple[AdapterStep, PipelineAdapter]]:
    """Steps none of which may collect."""
    found: list[tuple[AdapterStep, PipelineAdapter]] = []
    for step, adapter in steps:
        if isinstance(adapter, CollectingAdapter):
            raise InvalidAdapterConfig(
                f"the pipeline adapter {step.type} collects and is not the first of its route"
            )
        found.append((step, adapter))
    return found


async def unless_all_rests(gate: RouteGate, waiting: Coroutine[None, None, None]) -> None:
    """Wait for room, but not while every route of this process is to come to rest: then no room comes.

    A pause and an open breaker are waited out.
    """
    # Mostly there is room, and then nothing is to be waited for.
    task = asyncio.ensure_future(waiting)
    closing = asyncio.ensure_future(gate.closing(REST))
    try:
        await asyncio.wait([task, closing], return_when=asyncio.FIRST_COMPLETED)
    finally:
        task.cancel()
        closing.cancel()
        await asyncio.gather(task, closing, return_exceptions=True)
