"""Pausing and resuming executions and routes, and how routes stand."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from application.config_check import ConfigCheck
from application.engine.route_pauses import RoutePauses
from application.engine.route_status import RouteStatus
from application.engine.signals import SignalKind
from application.engine.snapshot import SnapshotNotRunnable, readable_pipeline_of
from application.executions import Executions
from application.ports.pauses import Pauses
from application.ports.unit_of_work import UnitOfWork
from domain.errors import Unavailable
from domain.execution import Execution
from domain.pause import Pause, PauseScope, RouteNotFound
from domain.pipeline import Route

log = logging.getLogger(__name__)

CONFIGS_AT_ONCE = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class PauseChange:
    """What pausing or resuming came to.

    ``has_changed`` is False when it was so already. ``pause`` is the pause of that very scope, None when there is none
    (any more). ``others`` are the pauses of other scopes that hold up all or part of it, the earliest first.
    """

    scope: PauseScope
    has_changed: bool
    pause: Pause | None
    others: Sequence[Pause]

    @property
    def is_paused(self) -> bool:
        """Whether all of it is held up; for a route wherever it runs, by the pause that holds everywhere."""
        return self.pause is not None or any(_contains(one.scope, self.scope) for one in self.others)


@dataclass(frozen=True, slots=True, kw_only=True)
class RouteOfExecution:
    """A route of an execution that goes on, with the pauses that hold it up.

    ``status`` is how its processor stands, None when it has none in this process.
    """

    execution: Execution
    route: Route
    pauses: Sequence[Pause] = ()
    status: RouteStatus | None = None

    @property
    def paused_at(self) -> datetime | None:
        """The moment from which it has been paused without a break, None when it is not."""
        return min((pause.paused_at for pause in self.pauses), default=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class RouteEverywhere:
    """A route id over all executions that go on; ``pause`` is the one that holds for all of them and for later ones."""

    route_id: str
    pause: Pause | None
    routes: Sequence[RouteOfExecution]


@dataclass(frozen=True, slots=True, kw_only=True)
class Pausing:
    """What can be paused: an execution, one of its routes, a route id wherever it runs. Ids and tags name executions.

    A pause lasts until it is lifted, over restarts too. What is at work goes on to settle, nothing new begins. The
    status of a paused execution stays ``running``; it keeps its place among those that may run at once.
    """

    executions: Executions
    pauses: Pauses
    route_pauses: RoutePauses
    check: ConfigCheck
    work: UnitOfWork

    async def change_execution(self, id_or_tag: str, *, is_paused: bool) -> tuple[Execution, PauseChange]:
        """Pause or resume an execution; returns it as it stands. Raises ExecutionNotFound, PauseNotAllowed."""
        execution = await self.executions.get(id_or_tag)
        change = await self._change(PauseScope(execution_id=execution.id), is_paused=is_paused)
        routes = {route.id for route in self._readable_routes(execution)}
        others = [one for one in change.others if one.scope.route_id in routes]
        return await self.executions.get(str(execution.id)), replace(change, others=others)

    async def change_route(
        self, route_id: str, *, is_paused: bool, id_or_tag: str | None = None
    ) -> PauseChange:
        """Pause or resume a route of an execution, or without one a route id wherever it runs, now and later.

        Raises RouteNotFound, ExecutionNotFound, PauseNotAllowed, SnapshotNotRunnable.
        """
        if id_or_tag is not None:
            execution, pipeline = await self.executions.pipeline(id_or_tag)
            if route_id not in pipeline.routes:
                raise RouteNotFound(f"the execution has no route {route_id!r}")
            scope = PauseScope(execution_id=execution.id, route_id=route_id)
            return await self._change(scope, is_paused=is_paused)
        await self.route(route_id)
        return await self._change(PauseScope(route_id=route_id), is_paused=is_paused)

    async def routes(self, id_or_tag: str | None = None) -> Sequence[RouteOfExecution]:
        """The routes of an execution in the order of its config, or those of all executions that go on, oldest first.

        Raises ExecutionNotFound, SnapshotNotRunnable; without an execution those that cannot be read are left out.
        """
        if id_or_tag is not None:
            execution, pipeline = await self.executions.pipeline(id_or_tag)
            return self._with_pauses(
                [(execution, route) for route in pipeline.routes.values()],
                await self.pauses.in_force([execution.id]),
            )
        ports = self.executions.engine.ports
        going_on = [one for one in await ports.executions.unfinished() if not one.status.is_terminal]
        pairs = [(one, route) for one in going_on for route in self._readable_routes(one)]
        return self._with_pauses(pairs, await self.pauses.in_force())

    async def route(self, route_id: str) -> RouteEverywhere:
        """A route id over all executions that go on; raises RouteNotFound when it is not known at all."""
        found = [one for one in await self.routes() if one.route.id == route_id]
        pause = await self._pause_of(PauseScope(route_id=route_id))
        if not found and pause is None and not await self._is_configured(route_id):
            raise RouteNotFound(f"no execution that goes on and no active config has a route {route_id!r}")
        return RouteEverywhere(route_id=route_id, pause=pause, routes=found)

    async def _change(self, scope: PauseScope, *, is_paused: bool) -> PauseChange:
        engine = self.executions.engine
        if is_paused:
            has_changed = await self.pauses.pause(scope, now=engine.ports.clock.now())
        else:
            has_changed = await self.pauses.resume(scope)
        engine.signals.send(SignalKind.PAUSES)
        try:
            await self.route_pauses.apply(engine.running)
        except Unavailable as error:
            # It is in force all the same; the next renewal of our lease brings it to the gates.
            log.warning("a pause could not be brought to the routes at once: %s", error)
        in_force = await self.pauses.in_force()
        return PauseChange(
            scope=scope,
            has_changed=has_changed,
            pause=next((one for one in in_force if one.scope == scope), None),
            others=[one for one in in_force if one.scope != scope and _touches(one.scope, scope)],
        )

    async def _pause_of(self, scope: PauseScope) -> Pause | None:
        return next((one for one in await self.pauses.in_force([]) if one.scope == scope), None)

    async def _is_configured(self, route_id: str) -> bool:
        """Whether an active config has such a route, so that an execution with it may begin."""
        offset = 0
        while True:
            async with self.work.begin() as repositories:
                configs, total = await repositories.configs.list(limit=CONFIGS_AT_ONCE, offset=offset)
            for config in configs:
                pipeline = (await self.check.of(config.yaml)).pipeline
                if pipeline is not None and route_id in pipeline.routes:
                    return True
            offset += len(configs)
            if not configs or offset >= total:
                return False

    def _readable_routes(self, execution: Execution) -> Sequence[Route]:
        try:
            pipeline = readable_pipeline_of(execution, self.executions.engine.ports.registry)
        except SnapshotNotRunnable:
            return ()
        return list(pipeline.routes.values())

    def _with_pauses(
        self, pairs: Sequence[tuple[Execution, Route]], in_force: Sequence[Pause]
    ) -> Sequence[RouteOfExecution]:
        found = []
        for execution, route in pairs:
            gate = self.route_pauses.gates.of(execution.id).get(route.id)
            pauses = [] if execution.status.is_terminal else in_force
            found.append(
                RouteOfExecution(
                    execution=execution,
                    route=route,
                    pauses=[one for one in pauses if one.scope.covers(execution.id, route.id)],
                    status=None if gate is None else gate.status(),
                )
            )
        return found


def _contains(outer: PauseScope, inner: PauseScope) -> bool:
    """Whether what the one holds up is all that the other can."""
    return outer.execution_id in {None, inner.execution_id} and outer.route_id in {None, inner.route_id}


def _touches(one: PauseScope, other: PauseScope) -> bool:
    """Whether there is a route that both can hold up."""
    same_execution = None in {one.execution_id, other.execution_id} or one.execution_id == other.execution_id
    same_route = None in {one.route_id, other.route_id} or one.route_id == other.route_id
    return same_execution and same_route
