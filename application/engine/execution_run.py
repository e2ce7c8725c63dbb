"""One execution at work in this process: a processor and a feed for each route."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass, field
from uuid import UUID

from application.engine.adapter_chain import AdapterChain
from application.engine.emissions import destinations_of
from application.engine.group_commit import GroupCommit
from application.engine.ports import EnginePorts
from application.engine.route_feed import RouteFeed
from application.engine.route_processor import RouteProcessor, released
from application.ports.ledger import ClaimRequest, Settled
from application.ports.pipeline_adapter import PipelineAdapter
from domain.execution import ExecutionStatus
from domain.message import Claim, Settlement
from domain.pipeline import AdapterStep, Pipeline, Route


@dataclass(frozen=True, slots=True, kw_only=True)
class PreparedRoute:
    """A route with its pipeline adapters built."""

    route: Route
    steps: Sequence[tuple[AdapterStep, PipelineAdapter]]


@dataclass(slots=True, kw_only=True)
class ExecutionRun:
    """The processors of one execution. They all subscribe before anything is published.

    ``crashed`` is told when a processor or a feed ends by an error, which only a defect can bring about.
    """

    execution_id: UUID
    processors: Mapping[str, RouteProcessor]
    feeds: Mapping[str, RouteFeed]
    crashed: Callable[[UUID, BaseException], None]
    _tasks: list[asyncio.Task[None]] = field(default_factory=list)

    async def open(self) -> None:
        """Start every processor, return when all of them are subscribed, then look in the ledger for work."""
        for route_id, processor in self.processors.items():
            name = f"{self.execution_id} {route_id}"
            self._begin(processor.run(), f"route {name}")
            self._begin(self.feeds[route_id].run(), f"feed {name}")
        for processor in self.processors.values():
            await processor.is_subscribed.wait()
        for feed in self.feeds.values():
            feed.look_in_ledger()

    async def close(self) -> Sequence[Settlement]:
        """Stop every processor at its next await; returns the settlements that hand back what they had claimed."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks.clear()
        return [
            released(token, envelope)
            for processor in self.processors.values()
            for token, envelope in processor.held.items()
        ]

    def _begin(self, work: Coroutine[None, None, None], name: str) -> None:
        task = asyncio.create_task(work, name=name)
        task.add_done_callback(self._watch)
        self._tasks.append(task)

    def _watch(self, task: asyncio.Task[None]) -> None:
        error = None if task.cancelled() else task.exception()
        if error is not None:
            self.crashed(self.execution_id, error)


def scoped_queue(execution_id: UUID, queue: str) -> str:
    """The name under which an execution uses a queue of its pipeline."""
    return f"exec:{execution_id}:{queue}"


def prepare_routes(pipeline: Pipeline, ports: EnginePorts) -> Sequence[PreparedRoute]:
    """Build every pipeline adapter; raises UnknownPipelineAdapter, InvalidAdapterConfig."""
    return [
        PreparedRoute(
            route=route,
            steps=[(step, ports.registry.build(step.type, step.config)) for step in route.adapters],
        )
        for route in pipeline.routes.values()
    ]


def assemble_run(
    execution_id: UUID,
    pipeline: Pipeline,
    routes: Sequence[PreparedRoute],
    *,
    ports: EnginePorts,
    claims: GroupCommit[ClaimRequest, Claim | None],
    settlements: GroupCommit[Settlement, Settled],
    finished: Callable[[UUID, ExecutionStatus], None],
    crashed: Callable[[UUID, BaseException], None],
) -> ExecutionRun:
    """Put an execution's processors and feeds together; nothing runs yet."""
    feeds = {
        one.route.id: RouteFeed(
            ports=ports,
            execution_id=execution_id,
            route_id=one.route.id,
            queue_name=scoped_queue(execution_id, one.route.inbound.queue),
        )
        for one in routes
    }
    processors = {
        one.route.id: RouteProcessor(
            ports=ports,
            route=one.route,
            chain=AdapterChain(
                route_id=one.route.id,
                steps=one.steps,
                storage=ports.storage,
                lineage=ports.lineage,
                clock=ports.clock,
                timeout_seconds=ports.settings.adapter_timeout,
            ),
            feeds=feeds,
            destinations=destinations_of(one.route, pipeline),
            leading_back=pipeline.routes_leading_to(one.route.id),
            claims=claims,
            settlements=settlements,
            finished=finished,
        )
        for one in routes
    }
    return ExecutionRun(execution_id=execution_id, processors=processors, feeds=feeds, crashed=crashed)
